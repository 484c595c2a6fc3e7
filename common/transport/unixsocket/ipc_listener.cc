#include "common/transport/unixsocket/ipc_listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/transport/unixsocket/socket_path.h"

namespace sida::transport {
namespace {

constexpr int kBacklog = 128;

std::string lock_path(const std::string& path) {
  return path + ".lock";
}

tl::unexpected<Error> refuse(const std::string& path, const std::string& why) {
  return fail(ErrorCode::kIo, "socket " + path + ": " + why);
}

tl::unexpected<Error> refuse_errno(const std::string& path, const std::string& what) {
  return refuse(path, "cannot " + what + ": " + std::strerror(errno));
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  SIDA_CHECK(path.size() < sizeof address.sun_path);  // socket_path() has checked it.
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// Whether something answers at the path that does not know of our locks.
bool is_served(const std::string& path) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  const bool served = connect_to(probe, path) == 0 || errno == EAGAIN;  // EAGAIN: its backlog is full.
  close(probe);
  return served;
}

bool same_file(int descriptor, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(descriptor, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

// The lock, held while its file descriptor is open. A file that was removed between open and lock locks nothing, so
// such a lock is taken again.
Result<int> take_lock(const std::string& path) {
  const std::string name = lock_path(path);
  for (;;) {
    const int lock = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) return refuse_errno(path, "open its lock file");
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
      close(lock);
      return refuse(path, "another process serves it: stop that one, or choose another path");
    }
    if (same_file(lock, name)) return lock;
    close(lock);
  }
}

// Removes what a dead server left. Never a file that is not a socket.
Result<void> clear_path(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) return refuse(path, "a file that is not a socket is in the way");
  if (is_served(path)) return refuse(path, "another process serves it: stop that one, or choose another path");
  if (unlink(path.c_str()) != 0) return refuse_errno(path, "remove what a dead server left");
  return {};
}

}  // namespace

Result<IpcListener> IpcListener::open(const std::string& path) {
  const auto lock = take_lock(path);
  if (!lock) return tl::unexpected(lock.error());
  IpcListener listener(path, *lock);
  SIDA_TRY(clear_path(path));
  SIDA_TRY(listener.listen());
  return listener;
}

Result<void> IpcListener::listen() {
  listening_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listening_ < 0) return refuse_errno(path_, "make a socket");
  // bind(2) gives the file the mode of the socket, so that it is never open to others, not even for a moment.
  if (fchmod(listening_, 0600) != 0) return refuse_errno(path_, "set its mode");
  const sockaddr_un address = address_of(path_);
  if (bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return refuse_errno(path_, "bind");
  }
  owns_socket_file_ = true;
  if (::listen(listening_, kBacklog) != 0) return refuse_errno(path_, "listen");
  return {};
}

IpcListener::IpcListener(IpcListener&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      listening_(std::exchange(other.listening_, -1)),
      owns_socket_file_(std::exchange(other.owns_socket_file_, false)) {}

IpcListener::~IpcListener() {
  if (lock_ < 0) return;
  if (listening_ >= 0) close(listening_);
  if (owns_socket_file_) unlink(path_.c_str());
  unlink(lock_path(path_).c_str());
  close(lock_);
}

int IpcListener::release_descriptor() {
  return std::exchange(listening_, -1);
}

}  // namespace sida::transport
