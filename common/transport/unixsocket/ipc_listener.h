// A listening Unix socket that nobody else can be robbed of: a library's bind, as ZeroMQ's, silently takes over any
// path.
#pragma once

#include <string>

#include "common/base/result.h"

namespace sida::transport {

// Owns the path: the socket file (0600 from its first moment on) and a lock file beside it, "<path>.lock", that says a
// live process serves it. A socket file whose server is dead is replaced. Both files are removed at the end.
class IpcListener {
 public:
  // kIo: another live process serves the path, or the operating system refused.
  static Result<IpcListener> open(const std::string& path);

  IpcListener(IpcListener&& other) noexcept;
  IpcListener& operator=(IpcListener&&) = delete;
  ~IpcListener();

  // The listening descriptor, once; from then on the caller closes it.
  int release_descriptor();

 private:
  IpcListener(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  Result<void> listen();

  std::string path_;
  int lock_;
  int listening_ = -1;
  bool owns_socket_file_ = false;
};

}  // namespace sida::transport
