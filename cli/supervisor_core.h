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
  int deaths_in_a_row_max = 5;                     // One more, and the whole cluster is given up.
  std::chrono::milliseconds stop_grace{5'000};     // From asking processes to end to killing them.
};

// How a process ended. exit_code: -1 when a signal ended it.
struct ProcessEnd {
  int exit_code = 0;
  int signal = 0;
  bool never_started = false;  // The program is missing or the system refused.
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
using SupervisorAction = std::variant<StartProcess, AskToEnd, KillProcess>;

class SupervisorCore {
 public:
  SupervisorCore(std::size_t processes, RestartPolicy policy);

  std::vector<SupervisorAction> start(TimePoint now);
  // Exit codes 2 and 3 say that the configuration or the model is wrong, and a program that cannot be started stays so:
  // starting again cannot help, so all is ended.
  std::vector<SupervisorAction> process_ended(std::size_t process, ProcessEnd end, TimePoint now);
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
    bool running = false;
    int deaths_in_a_row = 0;
    TimePoint started;
    std::optional<TimePoint> restart_at;
  };

  std::vector<SupervisorAction> end_all(TimePoint now);

  RestartPolicy policy_;
  std::vector<Child> children_;
  bool stopping_ = false;
  std::optional<TimePoint> kill_at_;
  int exit_code_ = 0;
  std::optional<std::size_t> culprit_;
};

}  // namespace sida::cli
