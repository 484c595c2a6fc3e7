// How the two ends of a link meet: over a Unix socket the client hands its memory to the server. From then on single
// bytes through the socket are the bell that wakes a sleeping reader, and its end tells of the peer's death.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/transport/unixsocket/descriptor.h"

namespace sida::transport::sharedmemory {

// Nothing here blocks.

// Connects to `path` and hands over `memory`, a segment with rings of `ring_bytes`. Nothing where no server listens or
// its backlog is full: try again later. Otherwise the connected socket.
std::optional<Descriptor> meet_server(const std::string& path, int memory, std::size_t ring_bytes);

// What a client that has connected has handed over. kMalformedMessage: it is no client of this kind, or one with rings
// of another size.
Result<Descriptor> take_memory(int socket, std::size_t ring_bytes);

// Of either end. False: the peer is gone.
bool ring_bell(int socket);
// Takes what rang. False: the peer is gone.
bool silence_bell(int socket);

}  // namespace sida::transport::sharedmemory
