#include "common/transport/unixsocket/socket_path.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace sida::transport {
namespace {

constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;

tl::unexpected<Error> refuse(const std::string& endpoint, const std::string& why) {
  return fail(ErrorCode::kInvalidArgument, "endpoint " + endpoint + ": " + why);
}

}  // namespace

Result<std::string> socket_path(const std::string& endpoint, std::string_view scheme) {
  std::string path = endpoint.substr(scheme.size());
  if (path.empty() || path.front() != '/') return refuse(endpoint, "the path of a socket must be absolute");
  if (path.size() > kPathMax) {
    return refuse(endpoint, "the path has " + std::to_string(path.size()) + " characters, a Unix socket's at most " +
                                std::to_string(kPathMax) + ": choose a shorter directory");
  }
  return path;
}

int connect_to(int descriptor, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  SIDA_CHECK(path.size() < sizeof address.sun_path);  // socket_path() has checked it.
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace sida::transport
