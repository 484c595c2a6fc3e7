// One child process and what it prints.
#pragma once

#include <sys/types.h>
#include <filesystem>

#include <optional>
#include <string>
#include <vector>

#include "cli/supervisor_core.h"
#include "common/base/result.h"

namespace sida::cli {

// Standard output and standard error come to the parent through one pipe. Not copied; the destructor closes the pipe
// but does not end the process.
class ChildProcess {
 public:
  // Starts `program` in a process group of its own, so that Ctrl-C reaches the parent alone, and with the parent's
  // environment less its SIDA_* variables: what they say is passed as arguments. It gets `signal_on_orphaned` when the
  // calling thread ends, whatever the reason. kIo when it cannot be started.
  static Result<ChildProcess> start(const std::string& program, const std::vector<std::string>& arguments,
                                    int signal_on_orphaned);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Readable when the child printed something or ended; -1 once everything is read.
  [[nodiscard]] int output() const { return output_; }
  // The lines that are complete. Does not block. A line longer than 16 KiB comes in pieces.
  std::vector<std::string> read_lines();
  // Blocks for the next line, at most `timeout`; nothing at the end of the output or after the timeout.
  std::optional<std::string> read_line(std::chrono::milliseconds timeout);

  void send(int signal) const;
  // How it ended; nothing while it runs. Does not block.
  std::optional<ProcessEnd> poll_end();
  // Blocks until it ended.
  ProcessEnd wait_end();

 private:
  ChildProcess(pid_t pid, int output) : pid_(pid), output_(output) {}
  void read_some();

  pid_t pid_ = -1;
  int output_ = -1;
  std::string unread_;
};

// The folder of the running program, in which its siblings lie. Empty where the system does not tell.
std::filesystem::path programs_directory();

}  // namespace sida::cli
