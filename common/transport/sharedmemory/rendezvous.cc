#include "common/transport/sharedmemory/rendezvous.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "common/transport/unixsocket/socket_path.h"

namespace sida::transport::sharedmemory {
namespace {

// The first bytes from a client; its memory's descriptor comes with them. A change of the rings is another kind.
struct Greeting {
  std::array<char, 8> kind{'s', 'i', 'd', 'a', 'r', 'o', 'w', '1'};
  std::uint64_t ring_bytes = 0;
};
static_assert(sizeof(Greeting) == 16);

// A greeting on its way, with room for the descriptor. The header points into it, so it stays where it is.
struct GreetingMessage {
  Greeting greeting;
  iovec text{&greeting, sizeof greeting};
  msghdr header{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};

  GreetingMessage() {
    header.msg_iov = &text;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  GreetingMessage(const GreetingMessage&) = delete;
  GreetingMessage& operator=(const GreetingMessage&) = delete;
};

auto without_interruption(auto call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

bool hand_over(int socket, int memory, std::size_t ring_bytes) {
  GreetingMessage message;
  message.greeting.ring_bytes = ring_bytes;
  cmsghdr* header = CMSG_FIRSTHDR(&message.header);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof memory);
  std::memcpy(CMSG_DATA(header), &memory, sizeof memory);
  const auto sent = without_interruption([&] { return sendmsg(socket, &message.header, MSG_DONTWAIT | MSG_NOSIGNAL); });
  return sent == static_cast<ssize_t>(sizeof message.greeting);
}

// The one descriptor that came; the system has closed those for which there was no room.
Descriptor descriptor_in(msghdr& message) {
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int))) {
    return {};
  }
  int number = -1;
  std::memcpy(&number, CMSG_DATA(header), sizeof number);
  return Descriptor(number);
}

}  // namespace

std::optional<Descriptor> meet_server(const std::string& path, int memory, std::size_t ring_bytes) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || connect_to(socket.get(), path) != 0) return std::nullopt;
  if (!hand_over(socket.get(), memory, ring_bytes)) return std::nullopt;
  return socket;
}

Result<Descriptor> take_memory(int socket, std::size_t ring_bytes) {
  GreetingMessage message;
  const Greeting& greeting = message.greeting;
  const auto received =
      without_interruption([&] { return recvmsg(socket, &message.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
  Descriptor memory = received >= 0 ? descriptor_in(message.header) : Descriptor();
  const bool fits = received == static_cast<ssize_t>(sizeof greeting) && memory && greeting.kind == Greeting{}.kind &&
                    greeting.ring_bytes == ring_bytes;
  if (!fits) return fail(ErrorCode::kMalformedMessage, "a peer has not handed over memory of the expected kind");
  return memory;
}

bool ring_bell(int socket) {
  const char bell = 0;
  const auto sent = without_interruption([&] { return send(socket, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL); });
  return sent == 1 || errno == EAGAIN;  // EAGAIN: it has rung so often unheard that it need not ring again.
}

bool silence_bell(int socket) {
  std::array<char, 64> rung;  // More is left for the next time; the socket stays readable.
  const auto received = without_interruption([&] { return recv(socket, rung.data(), rung.size(), MSG_DONTWAIT); });
  return received > 0 || (received < 0 && errno == EAGAIN);
}

}  // namespace sida::transport::sharedmemory
