// Endpoint texts, checked before ZeroMQ sees them. Pure.
#pragma once

#include <string>
#include <variant>

#include "common/base/result.h"

namespace sida::transport::zeromq {

struct IpcEndpoint {
  std::string path;  // Absolute, at most 107 characters: what a Unix socket address holds.
};

struct TcpEndpoint {
  std::string address;  // "tcp://127.0.0.1:5000" or, to bind, "tcp://127.0.0.1:*".
};

using Endpoint = std::variant<IpcEndpoint, TcpEndpoint>;

enum class Use { kBind, kConnect };
enum class Reach { kThisHost, kNetwork };  // Where links are encrypted.

// kInvalidArgument, with what to do: unknown scheme, relative or too long path, an address that is out of reach, a
// wildcard address or port to connect to. "localhost" stands for 127.0.0.1; no other name is resolved.
Result<Endpoint> parse_endpoint(const std::string& text, Use use, Reach reach);

}  // namespace sida::transport::zeromq
