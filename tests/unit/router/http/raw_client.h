// A client that sends exactly the bytes it is told to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace sida::router {

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval deadline{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }

  RawClient& send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        break;  // The server closed already; what it said is still there to be read.
      }
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return *this;
  }

  // One whole response, by its Content-Length; empty when the server closed without one.
  std::string read_response() {
    while (true) {
      const std::size_t head = received_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const std::size_t field = received_.find("Content-Length: ");
        const std::size_t body = field < head ? std::stoul(received_.substr(field + 16)) : 0;
        if (received_.size() >= head + 4 + body) {
          const std::string response = received_.substr(0, head + 4 + body);
          received_.erase(0, head + 4 + body);
          return response;
        }
      }
      if (!read_more()) {
        return "";
      }
    }
  }

  // Everything up to and with `mark`; what came instead when it does not come.
  std::string read_until(std::string_view mark) {
    while (received_.find(mark) == std::string::npos && read_more()) {
    }
    const std::size_t found = received_.find(mark);
    const std::size_t end = found == std::string::npos ? received_.size() : found + mark.size();
    const std::string text = received_.substr(0, end);
    received_.erase(0, end);
    return text;
  }

  // True when the server ends the connection within the deadline.
  bool read_end() {
    while (read_more()) {
    }
    return ended_;
  }

  void close() {
    if (socket_ >= 0) {
      ::close(socket_);
      socket_ = -1;
    }
  }

 private:
  bool read_more() {
    char bytes[4096];
    const auto count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count > 0) {
      received_.append(bytes, static_cast<std::size_t>(count));
    }
    ended_ = count == 0 || (count < 0 && errno == ECONNRESET);
    return count > 0;
  }

  int socket_;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

}  // namespace sida::router
