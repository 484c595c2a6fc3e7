#include "common/transport/zeromq/endpoint.h"

#include <arpa/inet.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "common/transport/unixsocket/socket_path.h"

namespace sida::transport::zeromq {
namespace {

constexpr std::string_view kIpcScheme = "ipc://";
constexpr std::string_view kTcpScheme = "tcp://";

tl::unexpected<Error> refuse(const std::string& endpoint, const std::string& why) {
  return fail(ErrorCode::kInvalidArgument, "endpoint " + endpoint + ": " + why);
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
  return host == "[::1]";
}

bool is_port(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

Result<Endpoint> parse_ipc(const std::string& text) {
  auto path = socket_path(text, kIpcScheme);
  if (!path) return tl::unexpected(std::move(path).error());
  return IpcEndpoint{std::move(*path)};
}

Result<Endpoint> parse_tcp(const std::string& text, Use use) {
  const std::string rest = text.substr(kTcpScheme.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string::npos) return refuse(text, "the port is missing");
  const std::string host = rest.substr(0, colon) == "localhost" ? "127.0.0.1" : rest.substr(0, colon);
  const std::string port = rest.substr(colon + 1);
  if (!is_loopback(host)) {
    return refuse(text, "only loopback addresses (127.0.0.0/8, [::1]) are served, since the link is not encrypted");
  }
  if (port == "*" && use == Use::kConnect) return refuse(text, "a wildcard port is only for listening");
  if (port != "*" && !is_port(port)) return refuse(text, "the port must be a number from 1 to 65535");
  return TcpEndpoint{std::string(kTcpScheme) + host + ":" + port};
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text, Use use) {
  if (text.starts_with(kIpcScheme)) return parse_ipc(text);
  if (text.starts_with(kTcpScheme)) return parse_tcp(text, use);
  return refuse(text, "must start with ipc:// or tcp://");
}

}  // namespace sida::transport::zeromq
