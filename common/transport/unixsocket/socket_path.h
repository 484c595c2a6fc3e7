// Paths of Unix sockets.
#pragma once

#include <string>

#include "common/base/result.h"

namespace sida::transport {

// What follows `scheme` in an endpoint that starts with it. kInvalidArgument, with what to do: a relative path, or one
// of more than the 107 characters that a socket's address holds.
Result<std::string> socket_path(const std::string& endpoint, std::string_view scheme);

// connect(2) for a stream socket; `path` is one that socket_path() accepted. -1 and errno as connect's.
int connect_to(int descriptor, const std::string& path);

}  // namespace sida::transport
