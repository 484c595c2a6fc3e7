// Decides when child processes are started, restarted and ended. No I/O: takes (event, time), returns actions.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include "common/runtime/clock.h"

namespace sida::cli {

struct RestartPolicy {
  std::chrono::milliseconds first_delay{200};  // Doubles with each death in a row, up to delay_max.
  std::chrono::milliseconds delay_max{10'000};
  std::chrono::milliseconds steady_after{10'000};  // A process that lived so long has no deaths in a row behind it.
  int deaths_in_a_row_max = 5;                     // One more, and the process has failed.
  std::chrono::milliseconds router_grace{15'000};  // From asking routers to end to killing them.
  std::chrono::milliseconds stop_grace{5'000};     // The same of the others, whose work is done by then.
};

// What a cluster is made of. It cannot do without a router and one worker, but any worker can load any expert, and a
// prediction is advice.
enum class ProcessRole { kWorker, kPredictor, kRouter };

// How a process ended. exit_code: -1 when a signal ended it.
struct ProcessEnd {
  int exit_code = 0;
  int signal = 0;
  bool never_started = false;  // The program is missing or the system refused.
  bool told_why = false;       // It ended on an "error: …" line.
};

struct StartProcess {
  std::size_t process;
  bool operator==(const StartProcess&) const = default;
};
struct AskToEnd {  // SIGTERM
  std::size_t process;
  bool operator==(const AskToEnd&) const = default;
};
struct KillProcess {  // SIGKILL
  std::size_t process;
  bool operator==(const KillProcess&) const = default;
};
struct TellFailed {  // It will be started again all the same, at the longest delay.
  std::size_t process;
  bool operator==(const TellFailed&) const = default;
};
using SupervisorAction = std::variant<StartProcess, AskToEnd, KillProcess, TellFailed>;

class SupervisorCore {
 public:
  SupervisorCore(const std::vector<ProcessRole>& roles, RestartPolicy policy);

  std::vector<SupervisorAction> start(TimePoint now);
  // The cluster serves: what fails from now on fails alone, while the others can do without it.
  void served() { served_ = true; }
  // A process has failed after too many deaths in a row, or when it says by exit code 2 or 3 that its configuration or
  // model is wrong, or when its program cannot be started. All is ended when every process of a role that nothing can
  // do without has failed. Before the cluster served for the first time all is ended, too, when any process gives one
  // of the latter two reasons, or the only router tells why it cannot go on: somebody is there who can put it right.
  std::vector<SupervisorAction> process_ended(std::size_t process, ProcessEnd end, TimePoint now);
  // Ends routers first, since their open requests need the workers, then the others. Called again: kills.
  std::vector<SupervisorAction> stop(TimePoint now);
  // At next_wake() or later: restarts and kills that are due.
  std::vector<SupervisorAction> tick(TimePoint now);

  [[nodiscard]] std::optional<TimePoint> next_wake() const;
  // All processes have ended and none will be started again.
  [[nodiscard]] bool finished() const;
  // Of the supervisor: 0 after stop(), else that of the process that ended all (1 for a signal).
  [[nodiscard]] int exit_code() const { return exit_code_; }
  // The process that ended all.
  [[nodiscard]] std::optional<std::size_t> culprit() const { return culprit_; }

 private:
  struct Child {
    ProcessRole role = ProcessRole::kWorker;
    bool running = false;
    bool refused = false;  // Its last end was one that starting again cannot help.
    int deaths_in_a_row = 0;
    TimePoint started;
    std::optional<TimePoint> restart_at;
    bool asked_to_end = false;
    std::optional<TimePoint> kill_at;
  };

  std::vector<SupervisorAction> end_all(TimePoint now);
  std::vector<SupervisorAction> ask_next(TimePoint now);
  [[nodiscard]] bool has_failed(const Child& child, TimePoint now) const;
  [[nodiscard]] bool can_do_without(ProcessRole role, TimePoint now) const;
  [[nodiscard]] std::chrono::milliseconds restart_delay(const Child& child) const;

  RestartPolicy policy_;
  std::vector<Child> children_;
  bool served_ = false;
  bool stopping_ = false;
  int exit_code_ = 0;
  std::optional<std::size_t> culprit_;
};

}  // namespace sida::cli
