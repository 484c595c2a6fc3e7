#include "cli/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace sida::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "sida-";
constexpr const char* kLockName = "owner";

Error io_error(const std::string& what) {
  return {ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

// The lock is held before the file has its name, so that nobody finds it without.
Result<int> lock_folder(const fs::path& folder) {
  const fs::path unnamed = folder / "owner.new";
  const int file = ::open(unnamed.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) {
    return tl::unexpected<Error>(io_error(unnamed.string()));
  }
  if (::flock(file, LOCK_EX | LOCK_NB) != 0 || ::rename(unnamed.c_str(), (folder / kLockName).c_str()) != 0) {
    auto error = io_error(unnamed.string());
    ::close(file);
    return tl::unexpected<Error>(std::move(error));
  }
  return file;
}

// Made by RunDirectory for this user, by a process that is gone.
bool is_stale(const fs::path& folder) {
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::geteuid()) {
    return false;
  }
  const int file = ::open((folder / kLockName).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return false;
  }
  const bool abandoned = ::flock(file, LOCK_EX | LOCK_NB) == 0;
  ::close(file);
  return abandoned;
}

}  // namespace

void RunDirectory::remove_stale(const fs::path& parent) {
  std::error_code ignored;
  for (auto entry = fs::directory_iterator(parent, ignored); entry != fs::directory_iterator();
       entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(kPrefix) && name.size() == kPrefix.size() + 6 && is_stale(entry->path())) {
      fs::remove_all(entry->path(), ignored);
    }
  }
}

Result<RunDirectory> RunDirectory::make() {
  std::error_code error;
  fs::path temporary = fs::temp_directory_path(error);
  if (error) {
    temporary = "/tmp";
  }
  std::string path = (temporary / (std::string(kPrefix) + "XXXXXX")).string();
  constexpr std::size_t kSocketNameRoom = 32;  // "/predictor-0.sock", and what a transport adds to it.
  constexpr std::size_t kSocketPathMax = 107;
  if (path.size() + kSocketNameRoom > kSocketPathMax) {
    return fail(ErrorCode::kIo, path + " is too long for Unix sockets: set TMPDIR to a shorter folder");
  }
  if (::mkdtemp(path.data()) == nullptr) {
    return fail(ErrorCode::kIo, path + " cannot be made: " + std::strerror(errno));
  }
  const auto lock = lock_folder(path);
  if (!lock) {
    fs::remove_all(path, error);
    return tl::unexpected<Error>(lock.error());
  }
  remove_stale(temporary);
  return RunDirectory(path, *lock);
}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}

RunDirectory::~RunDirectory() {
  if (!path_.empty()) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    ::close(lock_);
  }
}

namespace {

// `wanted` if nothing listens there, or any free port for 0.
Result<std::uint16_t> free_port(const std::string& host, std::uint16_t wanted) {
  namespace net = boost::asio;
  boost::system::error_code error;
  const auto address = net::ip::make_address(host, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument, "--host: '" + host + "' is no IP address (write 127.0.0.1 or ::1)");
  }
  net::io_context context;
  net::ip::tcp::acceptor acceptor(context);
  const net::ip::tcp::endpoint endpoint(address, wanted);
  acceptor.open(endpoint.protocol(), error);
  if (!error) {
    acceptor.set_option(net::socket_base::reuse_address(true), error);
  }
  if (!error) {
    acceptor.bind(endpoint, error);
  }
  if (!error) {
    acceptor.listen(1, error);
  }
  if (error) {
    return fail(ErrorCode::kIo, "port " + std::to_string(wanted) + " of " + host + ": " + error.message() +
                                    "; end what listens there, or choose another with --port and --admin-port");
  }
  return acceptor.local_endpoint().port();
}

// -1 when another process has it. An abstract name: no file is left behind.
int claim_name(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const int claim = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (claim >= 0 && ::bind(claim, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    ::close(claim);
    return -1;
  }
  return claim;
}

}  // namespace

Result<ClaimedPort> ClaimedPort::claim(const std::string& host, std::uint16_t wanted) {
  constexpr int kTries = 16;  // A port that the system gave may have been claimed and not be bound yet.
  for (int tries = wanted == 0 ? kTries : 1; tries > 0; --tries) {
    const auto number = free_port(host, wanted);
    if (!number) {
      return tl::unexpected<Error>(number.error());
    }
    const int claim = claim_name("sida-serve-port-" + std::to_string(*number));
    if (claim >= 0) {
      return ClaimedPort(*number, claim);
    }
  }
  return fail(ErrorCode::kIo, "port " + std::to_string(wanted) + " of " + host +
                                  ": another sida serve is about to take it; end that, or choose another with --port " +
                                  "and --admin-port");
}

ClaimedPort::ClaimedPort(ClaimedPort&& other) noexcept
    : number_(other.number_), claim_(std::exchange(other.claim_, -1)) {}

ClaimedPort::~ClaimedPort() {
  if (claim_ >= 0) {
    ::close(claim_);
  }
}

}  // namespace sida::cli
