#include "cli/supervisor_core.h"

#include <algorithm>

namespace sida::cli {

SupervisorCore::SupervisorCore(const std::vector<ProcessRole>& roles, RestartPolicy policy) : policy_(policy) {
  for (const ProcessRole role : roles) {
    children_.push_back({.role = role});
  }
}

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
  const bool said_why = end.exit_code == 2 || end.exit_code == 3;
  child.refused = said_why || end.never_started;
  const bool somebody_can_put_it_right = child.refused && !served_;
  if (somebody_can_put_it_right || !can_do_without(child.role, now)) {
    exit_code_ = said_why ? end.exit_code : 1;
    culprit_ = process;
    return end_all(now);
  }
  child.restart_at = now + restart_delay(child);
  return has_failed(child, now) ? std::vector<SupervisorAction>{TellFailed{process}} : std::vector<SupervisorAction>{};
}

bool SupervisorCore::has_failed(const Child& child, TimePoint now) const {
  const bool steady = child.running && now - child.started >= policy_.steady_after;
  return !steady && (child.refused || child.deaths_in_a_row > policy_.deaths_in_a_row_max);
}

bool SupervisorCore::can_do_without(ProcessRole role, TimePoint now) const {
  return role == ProcessRole::kPredictor || std::any_of(children_.begin(), children_.end(), [&](const Child& child) {
           return child.role == role && !has_failed(child, now);
         });
}

std::chrono::milliseconds SupervisorCore::restart_delay(const Child& child) const {
  if (child.refused || child.deaths_in_a_row > policy_.deaths_in_a_row_max) {
    return policy_.delay_max;
  }
  const auto doubled = policy_.first_delay * (1LL << std::min(child.deaths_in_a_row - 1, 20));
  return std::min<std::chrono::milliseconds>(doubled, policy_.delay_max);
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
