#include "cli/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

namespace sida::cli {
namespace {

constexpr std::size_t kLineBytesMax = 16U << 10U;
constexpr int kExecFailed = 127;

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) {
    list.push_back(word.data());
  }
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> environment_without_settings() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("SIDA_")) {
      variables.emplace_back(*variable);
    }
  }
  return variables;
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(const char* program, char** arguments, char** environment, int output, int signal_on_orphaned,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, signal_on_orphaned);
  if (::getppid() != parent) {
    ::_exit(kExecFailed);  // The parent ended before the line above.
  }
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::execve(program, arguments, environment);
  constexpr std::string_view kMessage = "error: io: the program cannot be started\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(kExecFailed);
}

ProcessEnd end_of(int status) {
  if (WIFEXITED(status)) {
    return {WEXITSTATUS(status), 0};
  }
  return {-1, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::string& program, const std::vector<std::string>& arguments,
                                         int signal_on_orphaned) {
  if (::access(program.c_str(), X_OK) != 0) {
    return fail(ErrorCode::kIo, program + " is missing: build it, or keep sida's programs in one folder");
  }
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return fail(ErrorCode::kIo, std::string("pipe: ") + std::strerror(errno));
  }
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = environment_without_settings();
  const auto word_pointers = pointers(words);
  const auto variable_pointers = pointers(variables);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    become(program.c_str(), const_cast<char**>(word_pointers.data()), const_cast<char**>(variable_pointers.data()),
           pipe[1], signal_on_orphaned, parent);
  }
  ::close(pipe[1]);
  if (pid < 0) {
    ::close(pipe[0]);
    return fail(ErrorCode::kIo, program + ": " + std::strerror(errno));
  }
  ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
  return ChildProcess(pid, pipe[0]);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      unread_(std::move(other.unread_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  std::swap(unread_, other.unread_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (output_ >= 0) {
    ::close(output_);
  }
}

void ChildProcess::read_some() {
  std::array<char, 4096> bytes{};
  while (output_ >= 0) {
    const auto count = ::read(output_, bytes.data(), bytes.size());
    if (count > 0) {
      unread_.append(bytes.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      ::close(std::exchange(output_, -1));
      if (!unread_.empty() && !unread_.ends_with('\n')) {
        unread_ += '\n';
      }
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

std::vector<std::string> ChildProcess::read_lines() {
  read_some();
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n', begin)) {
    lines.push_back(unread_.substr(begin, end - begin));
    begin = end + 1;
  }
  unread_.erase(0, begin);
  if (unread_.size() > kLineBytesMax) {
    lines.push_back(std::exchange(unread_, {}));
  }
  return lines;
}

std::optional<std::string> ChildProcess::read_line(std::chrono::milliseconds timeout) {
  const TimePoint deadline = steady_now() + timeout;
  while (true) {
    const std::size_t end = unread_.find('\n');
    if (end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_now());
    if (output_ < 0 || left.count() <= 0) {
      return std::nullopt;
    }
    pollfd descriptor{output_, POLLIN, 0};
    ::poll(&descriptor, 1, static_cast<int>(left.count()));
    read_some();
  }
}

void ChildProcess::send(int signal) const {
  if (pid_ > 0) {
    ::kill(pid_, signal);
  }
}

std::optional<ProcessEnd> ChildProcess::poll_end() {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = -1;
    return end_of(status);
  }
  return std::nullopt;
}

ProcessEnd ChildProcess::wait_end() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return end_of(status);
}

std::filesystem::path programs_directory() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
}

}  // namespace sida::cli
