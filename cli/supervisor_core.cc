#include "cli/supervisor_core.h"

#include <algorithm>

namespace sida::cli {

SupervisorCore::SupervisorCore(std::size_t processes, RestartPolicy policy) : policy_(policy), children_(processes) {}

std::vector<SupervisorAction> SupervisorCore::start(TimePoint now) {
  std::vector<SupervisorAction> actions;
  for (std::size_t process = 0; process < children_.size(); ++process) {
    children_[process].running = true;
    children_[process].started = now;
    actions.emplace_back(StartProcess{process});
  }
  return actions;
}

std::vector<SupervisorAction> SupervisorCore::process_ended(std::size_t process, ProcessEnd end, TimePoint now) {
  Child& child = children_[process];
  child.running = false;
  if (stopping_) {
    return {};
  }
  if (now - child.started >= policy_.steady_after) {
    child.deaths_in_a_row = 0;
  }
  ++child.deaths_in_a_row;
  const bool refused = end.exit_code == 2 || end.exit_code == 3;
  if (refused || end.never_started || child.deaths_in_a_row > policy_.deaths_in_a_row_max) {
    exit_code_ = refused ? end.exit_code : 1;
    culprit_ = process;
    return end_all(now);
  }
  const auto doubled = policy_.first_delay * (1LL << std::min(child.deaths_in_a_row - 1, 20));
  child.restart_at = now + std::min<std::chrono::milliseconds>(doubled, policy_.delay_max);
  return {};
}

std::vector<SupervisorAction> SupervisorCore::stop(TimePoint now) {
  if (stopping_) {
    return {};
  }
  return end_all(now);
}

std::vector<SupervisorAction> SupervisorCore::end_all(TimePoint now) {
  stopping_ = true;
  kill_at_ = now + policy_.stop_grace;
  std::vector<SupervisorAction> actions;
  for (std::size_t process = 0; process < children_.size(); ++process) {
    children_[process].restart_at.reset();
    if (children_[process].running) {
      actions.emplace_back(AskToEnd{process});
    }
  }
  return actions;
}

std::vector<SupervisorAction> SupervisorCore::tick(TimePoint now) {
  std::vector<SupervisorAction> actions;
  for (std::size_t process = 0; process < children_.size(); ++process) {
    Child& child = children_[process];
    if (child.restart_at && *child.restart_at <= now) {
      child.restart_at.reset();
      child.running = true;
      child.started = now;
      actions.emplace_back(StartProcess{process});
    } else if (child.running && kill_at_ && *kill_at_ <= now) {
      actions.emplace_back(KillProcess{process});
    }
  }
  if (kill_at_ && *kill_at_ <= now) {
    kill_at_.reset();
  }
  return actions;
}

std::optional<TimePoint> SupervisorCore::next_wake() const {
  std::optional<TimePoint> next = kill_at_;
  for (const Child& child : children_) {
    if (child.restart_at && (!next || *child.restart_at < *next)) {
      next = child.restart_at;
    }
  }
  return next;
}

bool SupervisorCore::finished() const {
  return std::none_of(children_.begin(), children_.end(),
                      [](const Child& child) { return child.running || child.restart_at.has_value(); });
}

}  // namespace sida::cli
