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

// "*", an IPv4 address, or an IPv6 one in brackets.
bool is_address(const std::string& host, Use use) {
  in_addr v4{};
  in6_addr v6{};
  if (host == "*" || host == "0.0.0.0" || host == "[::]") return use == Use::kBind;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return true;
  return host.starts_with('[') && host.ends_with(']') &&
         inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6) == 1;
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

Result<Endpoint> parse_tcp(const std::string& text, Use use, Reach reach) {
  const std::string rest = text.substr(kTcpScheme.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string::npos) return refuse(text, "the port is missing");
  const std::string host = rest.substr(0, colon) == "localhost" ? "127.0.0.1" : rest.substr(0, colon);
  const std::string port = rest.substr(colon + 1);
  if (!is_loopback(host) && !is_address(host, use)) {
    return refuse(text, use == Use::kBind ? "the host must be an address of this host, or * for all"
                                          : "the host must be an address that one can connect to");
  }
  if (!is_loopback(host) && reach == Reach::kThisHost) {
    return refuse(text,
                  "off loopback a link must be encrypted; make keys with 'sida keys', and give "
                  "--link-secret-key FILE and --link-allow PATH");
  }
  if (port == "*" && use == Use::kConnect) return refuse(text, "a wildcard port is only for listening");
  if (port != "*" && !is_port(port)) return refuse(text, "the port must be a number from 1 to 65535");
  return TcpEndpoint{std::string(kTcpScheme) + host + ":" + port};
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text, Use use, Reach reach) {
  if (text.starts_with(kIpcScheme)) return parse_ipc(text);
  if (text.starts_with(kTcpScheme)) return parse_tcp(text, use, reach);
  return refuse(text, "must start with ipc:// or tcp://");
}

}  // namespace sida::transport::zeromq
