#include "common/runtime/alive_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sida {
namespace {

bool touch(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
  if (file < 0) return false;
  const bool done = ::futimens(file, nullptr) == 0;
  const int error = errno;
  ::close(file);
  errno = error;
  return done;
}

}  // namespace

bool AliveCore::beat(std::uint64_t progress, bool busy, TimePoint now) {
  if (!busy || progress != progress_) progressed_ = now;
  progress_ = progress;
  if (now - progressed_ >= kStuckAfter || now < next_) return false;
  next_ = now + kAliveInterval;
  return true;
}

void AliveFile::beat(std::uint64_t progress, bool busy, TimePoint now) {
  if (path_.empty() || !core_.beat(progress, busy, now) || touch(path_)) return;
  if (std::exchange(told_, true)) return;
  spdlog::error("alive file not written file={} error=\"{}\"; give --alive-file a path that can be written", path_,
                std::strerror(errno));
}

}  // namespace sida
