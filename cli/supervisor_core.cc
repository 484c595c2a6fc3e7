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
  child.kill_at.reset();
  if (stopping_) {
    return ask_next(now);
  }
  if (now - child.started >= policy_.steady_after) {
    child.deaths_in_a_row = 0;
  }
  ++child.deaths_in_a_row;
  const bool said_why = end.exit_code == 2 || end.exit_code == 3;
  child.refused = said_why || end.never_started;
  const bool gave_up = child.role == ProcessRole::kRouter && end.told_why && end.exit_code != 0;
  const bool somebody_can_put_it_right = (child.refused || gave_up) && !served_;
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
  if (!stopping_) {
    return end_all(now);
  }
  std::vector<SupervisorAction> actions;
  for (std::size_t process = 0; process < children_.size(); ++process) {
    if (children_[process].running) {
      children_[process].asked_to_end = true;
      children_[process].kill_at.reset();
      actions.emplace_back(KillProcess{process});
    }
  }
  return actions;
}

std::vector<SupervisorAction> SupervisorCore::end_all(TimePoint now) {
  stopping_ = true;
  for (Child& child : children_) {
    child.restart_at.reset();
  }
  return ask_next(now);
}

std::vector<SupervisorAction> SupervisorCore::ask_next(TimePoint now) {
  const auto is_router = [](const Child& child) { return child.role == ProcessRole::kRouter; };
  const bool routers_run = std::any_of(children_.begin(), children_.end(),
                                       [&](const Child& child) { return child.running && is_router(child); });
  std::vector<SupervisorAction> actions;
  for (std::size_t process = 0; process < children_.size(); ++process) {
    Child& child = children_[process];
    if (child.running && !child.asked_to_end && is_router(child) == routers_run) {
      child.asked_to_end = true;
      child.kill_at = now + (routers_run ? policy_.router_grace : policy_.stop_grace);
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
    } else if (child.kill_at && *child.kill_at <= now) {
      child.kill_at.reset();
      actions.emplace_back(KillProcess{process});
    }
  }
  return actions;
}

std::optional<TimePoint> SupervisorCore::next_wake() const {
  std::optional<TimePoint> next;
  for (const Child& child : children_) {
    for (const auto& due : {child.restart_at, child.kill_at}) {
      if (due && (!next || *due < *next)) {
        next = due;
      }
    }
  }
  return next;
}

bool SupervisorCore::finished() const {
  return std::none_of(children_.begin(), children_.end(),
                      [](const Child& child) { return child.running || child.restart_at.has_value(); });
}

}  // namespace sida::cli
