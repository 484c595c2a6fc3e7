// Carries out what SupervisorCore decides: starts, watches and ends child processes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/child_process.h"
#include "cli/cluster_plan.h"
#include "cli/supervisor_core.h"

namespace sida::cli {

struct SupervisorHooks {
  // A line that a child printed.
  std::function<void(const std::string& process, const std::string& line)> line;
  // Between events, several times a second while it answers false; not again once it answered true.
  std::function<bool()> poll_ready;
  // A process has failed, while the others go on; `why` is what it said last, or how it ended. Called after each of its
  // further ends, too. May be empty.
  std::function<void(const std::string& process, const std::string& why)> failed;
};

// Blocks SIGINT, SIGTERM and SIGCHLD in the calling thread, which must be the only one.
class Supervisor {
 public:
  Supervisor(std::vector<ProcessPlan> plans, RestartPolicy policy, SupervisorHooks hooks);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Until SIGINT or SIGTERM and every child's end, or until a child's end ended all. The error is that child's own
  // last "error: …" line, where it printed one.
  Result<void> run();

 private:
  struct Child {
    ProcessPlan plan;
    std::unique_ptr<ChildProcess> process;  // nullptr while it does not run.
    bool never_started = false;             // The last start failed; reap() tells the core.
    std::optional<Error> last_error;        // What it told in an "error: …" line since its last start.
    ProcessEnd last_end;
  };

  void apply(const std::vector<SupervisorAction>& actions);
  void start(std::size_t process);
  void tell_failed(std::size_t process);
  void signal(std::size_t process, int number);
  void wait_for_events();
  void take_signals();
  void take_lines(std::size_t process);
  void reap();
  Result<void> outcome() const;

  SupervisorCore core_;
  SupervisorHooks hooks_;
  std::vector<Child> children_;
  int signals_ = -1;
  bool ready_ = false;
};

}  // namespace sida::cli
