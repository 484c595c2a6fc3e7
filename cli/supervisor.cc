#include "cli/supervisor.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "cli/error_line.h"

namespace sida::cli {
namespace {

constexpr std::chrono::milliseconds kReadyPoll{100};
constexpr std::chrono::milliseconds kLongestWait{1000};

ErrorCode code_of_exit(int exit_code) {
  switch (exit_code) {
    case 2:
      return ErrorCode::kInvalidArgument;
    case 3:
      return ErrorCode::kInvalidModel;
    default:
      return ErrorCode::kInternal;
  }
}

std::vector<ProcessRole> roles_of(const std::vector<ProcessPlan>& plans) {
  std::vector<ProcessRole> roles;
  for (const ProcessPlan& plan : plans) {
    roles.push_back(plan.role);
  }
  return roles;
}

std::string how(const ProcessEnd& end) {
  return end.signal != 0 ? "ended by signal " + std::to_string(end.signal)
                         : "ended with exit code " + std::to_string(end.exit_code);
}

}  // namespace

Supervisor::Supervisor(std::vector<ProcessPlan> plans, RestartPolicy policy, SupervisorHooks hooks)
    : core_(roles_of(plans), policy), hooks_(std::move(hooks)) {
  for (ProcessPlan& plan : plans) {
    children_.push_back({std::move(plan), nullptr, false, std::nullopt, {}});
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) {
    sigaddset(&signals, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

Supervisor::~Supervisor() {
  ::close(signals_);
}

Result<void> Supervisor::run() {
  apply(core_.start(steady_now()));
  while (!core_.finished()) {
    wait_for_events();
    take_signals();
    for (std::size_t process = 0; process < children_.size(); ++process) {
      take_lines(process);
    }
    reap();
    apply(core_.tick(steady_now()));
    if (!ready_ && hooks_.poll_ready) {
      ready_ = hooks_.poll_ready();
      if (ready_) {
        core_.served();
      }
    }
  }
  return outcome();
}

void Supervisor::apply(const std::vector<SupervisorAction>& actions) {
  for (const SupervisorAction& action : actions) {
    if (const auto* begin = std::get_if<StartProcess>(&action)) {
      start(begin->process);
    } else if (const auto* ask = std::get_if<AskToEnd>(&action)) {
      signal(ask->process, SIGTERM);
    } else if (const auto* failed = std::get_if<TellFailed>(&action)) {
      tell_failed(failed->process);
    } else {
      signal(std::get<KillProcess>(action).process, SIGKILL);
    }
  }
}

void Supervisor::signal(std::size_t process, int number) {
  if (children_[process].process) {
    children_[process].process->send(number);
  }
}

void Supervisor::tell_failed(std::size_t process) {
  const Child& child = children_[process];
  const std::string why = child.last_error ? child.last_error->message : how(child.last_end);
  hooks_.line(child.plan.name, "failed: " + why + "; it is tried again now and then");
  if (hooks_.failed) {
    hooks_.failed(child.plan.name, why);
  }
}

void Supervisor::start(std::size_t process) {
  Child& child = children_[process];
  child.last_error.reset();
  auto started = ChildProcess::start(child.plan.program, child.plan.arguments, SIGKILL);
  if (started) {
    child.process = std::make_unique<ChildProcess>(*std::move(started));
    return;
  }
  child.never_started = true;
  child.last_error = started.error();
}

void Supervisor::wait_for_events() {
  std::vector<pollfd> descriptors{{signals_, POLLIN, 0}};
  for (const Child& child : children_) {
    if (child.process && child.process->output() >= 0) {
      descriptors.push_back({child.process->output(), POLLIN, 0});
    }
  }
  auto wait = ready_ || !hooks_.poll_ready ? kLongestWait : kReadyPoll;
  if (const auto wake = core_.next_wake()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*wake - steady_now());
    wait = std::clamp(left, std::chrono::milliseconds(0), wait);
  }
  ::poll(descriptors.data(), descriptors.size(), static_cast<int>(wait.count()));
}

void Supervisor::take_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
    if (signal.ssi_signo != SIGCHLD) {
      apply(core_.stop(steady_now()));
    }
  }
}

void Supervisor::take_lines(std::size_t process) {
  Child& child = children_[process];
  if (!child.process) {
    return;
  }
  for (const std::string& line : child.process->read_lines()) {
    if (auto error = parse_error_line(line)) {
      child.last_error = *std::move(error);
    }
    hooks_.line(child.plan.name, line);
  }
}

void Supervisor::reap() {
  for (std::size_t process = 0; process < children_.size(); ++process) {
    Child& child = children_[process];
    if (std::exchange(child.never_started, false)) {
      apply(core_.process_ended(process, {1, 0, true}, steady_now()));
      continue;
    }
    const auto end = child.process ? child.process->poll_end() : std::nullopt;
    if (end) {
      take_lines(process);
      child.process.reset();
      child.last_end = *end;
      child.last_end.told_why = child.last_error.has_value();
      if (end->exit_code != 0) {
        hooks_.line(child.plan.name, how(*end));
      }
      apply(core_.process_ended(process, child.last_end, steady_now()));
    }
  }
}

Result<void> Supervisor::outcome() const {
  if (!core_.culprit()) {
    return {};
  }
  const Child& child = children_[*core_.culprit()];
  if (!child.last_error) {
    return fail(code_of_exit(core_.exit_code()), child.plan.name + " ended; its output above says why");
  }
  Error error = *child.last_error;
  if (sida::exit_code(error.code) != core_.exit_code()) {
    error.code = code_of_exit(core_.exit_code());
  }
  return fail_at(child.plan.name, std::move(error));
}

}  // namespace sida::cli
