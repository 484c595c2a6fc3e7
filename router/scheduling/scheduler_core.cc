#include "router/scheduling/scheduler_core.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sida::router {

// Rows left in the long step being planned. The first piece of work is taken in any case.
struct SchedulerCore::RowBudget {
  std::int64_t rows_left = 0;
  bool took_any = false;

  bool take(std::int64_t rows) {
    if (took_any && rows > rows_left) return false;
    rows_left -= rows;
    took_any = true;
    return true;
  }
};

Result<void> SchedulerCore::submit(const Arrival& arrival, TimePoint now) {
  SIDA_CHECK(arrival.source_tokens > 0 && arrival.target_tokens >= 0 && arrival.new_tokens >= 0 && arrival.beams > 0);
  Sequence sequence{.source_tokens = arrival.source_tokens,
                    .target_tokens = arrival.target_tokens,
                    .deadline = arrival.deadline,
                    .new_tokens = arrival.new_tokens,
                    .beams = arrival.beams,
                    .client = arrival.client};
  SIDA_TRY(check_room(sequence.tokens(), sequence.client));
  SIDA_TRY(check_time(sequence, now));
  const auto [added, is_new] = sequences_.emplace(arrival.sequence, std::move(sequence));
  SIDA_CHECK(is_new);
  added->second.number = turns_.arrived(now);
  added->second.place = shares_.arrived(arrival.client, added->second.cache_tokens());
  stand_in_line(arrival.sequence);
  waiting_tokens_ += added->second.tokens();
  estimate_.line(true, now);
  return {};
}

// What there is to compute once it is there too.
WaitEstimate::Load SchedulerCore::load_with(const Sequence& sequence) const {
  const std::int64_t own = sequence.cache_tokens();
  const bool room = running_.size() < limits_.running_max && cache_tokens_ + own <= limits_.cache_tokens_max;
  WaitEstimate::Load load{.line_tokens = own,
                          .source_tokens = sequence.source_tokens,
                          .rows = sequence.beams,
                          .new_tokens = sequence.new_tokens};
  for (const SequenceId id : running_) load.rows += sequences_.at(id).beams;
  const std::int64_t place = shares_.next_place(sequence.client);
  for (const SequenceId id : waiting_) {
    const Sequence& other = sequences_.at(id);
    if (other.place > place) break;
    load.line_tokens += other.cache_tokens();
    load.source_tokens += other.source_tokens;
    load.rows += other.beams;
  }
  if (waiting_.empty() && room) load.line_tokens = 0;
  // More than a step takes is computed in several, whose time is the line's.
  load.source_tokens = std::min(load.source_tokens, std::max(sequence.source_tokens, limits_.rows_max));
  load.rows = std::min(load.rows, std::max(sequence.beams, static_cast<std::int64_t>(limits_.running_max)));
  return load;
}

// Whoever would be too late is told now, and does not make those behind it late.
Result<void> SchedulerCore::check_time(const Sequence& sequence, TimePoint now) const {
  if (sequence.deadline == TimePoint::max() || sequences_.empty()) return {};
  const auto expected = estimate_.expected(load_with(sequence));
  if (!expected || *expected <= sequence.deadline - now) return {};
  const auto ms = [](Duration time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
  };
  return fail(ErrorCode::kOverloaded, "the answer would take about " + ms(*expected) + " and has " +
                                          ms(sequence.deadline - now) + "; try again later or give it more time");
}

Result<void> SchedulerCore::check_room(std::int64_t tokens, std::uint64_t client) const {
  const std::size_t kept = shares_.waiting(client) > 0 ? limits_.waiting_max / 8 : 0;  // For others.
  if (waiting_.size() + kept >= limits_.waiting_max) {
    return fail(ErrorCode::kOverloaded, std::to_string(waiting_.size()) + " sequences are waiting; try again later");
  }
  if (!waiting_.empty() && waiting_tokens_ + tokens > limits_.waiting_tokens_max) {
    return fail(ErrorCode::kOverloaded, std::to_string(waiting_tokens_) + " tokens are waiting; try again later");
  }
  return {};
}

// Behind all that have no higher place.
void SchedulerCore::stand_in_line(SequenceId sequence) {
  const std::int64_t place = sequences_.at(sequence).place;
  auto at = waiting_.end();
  while (at != waiting_.begin() && sequences_.at(*std::prev(at)).place > place) --at;
  waiting_.insert(at, sequence);
}

std::optional<StepPlan> SchedulerCore::next_step(TimePoint now) {
  StepPlan plan;
  if (!token_step_) plan_decodes(plan, now);
  const bool is_long = plan.decode.empty() && !long_step_;
  if (is_long) {
    RowBudget budget{.rows_left = limits_.rows_max};
    plan_targets(plan, budget, now);
    plan_sources(plan, budget, now);
  }
  if (plan.encode.empty() && plan.decode.empty()) return std::nullopt;
  plan.step = StepId{++last_step_.value};
  (is_long ? long_step_ : token_step_) = plan.step;
  for (SequenceId id : plan.encode) sequences_.at(id).in_step = true;
  for (SequenceId id : plan.decode) sequences_.at(id).in_step = true;
  steps_.emplace(plan.step, plan);
  return plan;
}

void SchedulerCore::plan_decodes(StepPlan& plan, TimePoint now) {
  for (SequenceId id : running_) {
    const Sequence& sequence = sequences_.at(id);
    if (!sequence.may_start(now) || sequence.target_tokens > 0) continue;
    plan.decode.push_back(id);
  }
}

void SchedulerCore::plan_targets(StepPlan& plan, RowBudget& budget, TimePoint now) {
  for (SequenceId id : running_) {
    const Sequence& sequence = sequences_.at(id);
    if (!sequence.may_start(now) || sequence.target_tokens == 0) continue;
    if (!budget.take(sequence.target_tokens)) return;
    plan.decode.push_back(id);
  }
}

std::vector<WaitingSource> SchedulerCore::startable_sources(TimePoint now) const {
  std::vector<WaitingSource> sources;
  for (const SequenceId id : waiting_) {
    const Sequence& sequence = sequences_.at(id);
    if (!sequence.may_start(now)) continue;  // Cancelled or too late (ended() takes it out), or held.
    sources.push_back({.id = id,
                       .rows = sequence.source_tokens,
                       .cache_tokens = sequence.cache_tokens(),
                       .experts = sequence.experts ? &*sequence.experts : nullptr});
  }
  return sources;
}

void SchedulerCore::plan_sources(StepPlan& plan, RowBudget& budget, TimePoint now) {
  std::vector<WaitingSource> sources = startable_sources(now);
  BatchChooser chooser(popularity_);
  const bool all_go = fit_all(sources, budget);  // There is nothing to choose.
  while (!sources.empty() && running_.size() < limits_.running_max && plan.encode.size() < limits_.sources_max) {
    const std::int64_t cache_left = limits_.cache_tokens_max - cache_tokens_;
    const std::size_t chosen =
        all_go || is_overdue(sources.front().id, now) ? 0 : chooser.choose(sources, budget.rows_left, cache_left);
    const auto next = sources.begin() + static_cast<std::ptrdiff_t>(chosen);
    // Nobody passes by one that does not fit unless for its experts' sake, else a long one could wait for ever.
    if (!running_.empty() && next->cache_tokens > cache_left) break;
    if (!budget.take(next->rows)) break;
    chooser.take(*next);
    admit(*next, now);
    plan.encode.push_back(next->id);
    sources.erase(next);
  }
  std::erase_if(waiting_, [&](SequenceId id) { return sequences_.at(id).in_step; });
  estimate_.line(!waiting_.empty(), now);
  std::uint64_t oldest = UINT64_MAX;
  for (const SequenceId id : waiting_) oldest = std::min(oldest, sequences_.at(id).number);
  if (!waiting_.empty()) turns_.forget_below(oldest);
}

bool SchedulerCore::fit_all(const std::vector<WaitingSource>& sources, const RowBudget& budget) const {
  std::int64_t rows = 0;
  std::int64_t cache_tokens = cache_tokens_;
  for (const WaitingSource& source : sources) {
    rows += source.rows;
    cache_tokens += source.cache_tokens;
  }
  return sources.size() <= limits_.sources_max && rows <= budget.rows_left &&
         running_.size() + sources.size() <= limits_.running_max && cache_tokens <= limits_.cache_tokens_max;
}

bool SchedulerCore::is_overdue(SequenceId waiting, TimePoint now) const {
  // Turns count those in front that are held, too: with one of these there, the others' turns are told too late.
  if (limits_.overtake_max <= Duration::zero()) return true;
  const TimePoint turn = turns_.turn_of(sequences_.at(waiting).number);
  return turn <= now && now - turn >= limits_.overtake_max;
}

// From waiting_, where plan_sources() takes it out, to running_.
void SchedulerCore::admit(const WaitingSource& source, TimePoint now) {
  Sequence& sequence = sequences_.at(source.id);
  sequence.in_step = true;
  sequence.taken = now;
  estimate_.taken(sequence.cache_tokens(), now);
  running_.push_back(source.id);
  cache_tokens_ += sequence.cache_tokens();
  waiting_tokens_ -= sequence.tokens();
  shares_.served(sequence.client, sequence.place);
  turns_.gone(now);
}

void SchedulerCore::step_done(StepId step, std::span<const SequenceId> finished, TimePoint now) {
  auto node = steps_.extract(step);
  SIDA_CHECK(!node.empty());
  (token_step_ == step ? token_step_ : long_step_).reset();
  for (SequenceId id : node.mapped().encode) sequences_.at(id).in_step = false;
  for (SequenceId id : node.mapped().decode) sequences_.at(id).in_step = false;
  measure(node.mapped(), now);
  for (SequenceId id : finished) {
    auto found = sequences_.find(id);
    SIDA_CHECK(found != sequences_.end() && !found->second.in_step);
    estimate_.finished(found->second.decoded, found->second.new_tokens);
    forget(id, now);
  }
  look_whether_tokens_flow();
}

// Else the time until the next token is no interval between tokens.
void SchedulerCore::look_whether_tokens_flow() {
  tokens_flow_ = tokens_flow_ && std::ranges::any_of(running_, [this](SequenceId id) {
                   const Sequence& sequence = sequences_.at(id);
                   return sequence.decoded > 0 && !sequence.cancelled;
                 });
}

void SchedulerCore::measure(const StepPlan& step, TimePoint now) {
  std::int64_t source_tokens = 0;
  for (const SequenceId id : step.encode) source_tokens += sequences_.at(id).source_tokens;
  if (source_tokens > 0) estimate_.encoded(source_tokens, sequences_.at(step.encode.front()).taken, now);
  std::int64_t rows = 0;
  for (const SequenceId id : step.decode) {
    Sequence& sequence = sequences_.at(id);
    if (sequence.target_tokens > 0) continue;
    ++sequence.decoded;
    rows += sequence.beams;
  }
  if (rows > 0) estimate_.token_step(rows, !std::exchange(tokens_flow_, true), now);
}

void SchedulerCore::cancel(SequenceId sequence) {
  auto found = sequences_.find(sequence);
  if (found != sequences_.end()) found->second.cancelled = true;
}

void SchedulerCore::hold(SequenceId sequence, TimePoint until) {
  auto found = sequences_.find(sequence);
  if (found != sequences_.end()) found->second.held_until = until;
}

void SchedulerCore::predicted(SequenceId sequence, ExpertSet experts) {
  auto found = sequences_.find(sequence);
  if (found == sequences_.end()) return;
  if (!found->second.experts) popularity_.add(experts);
  found->second.experts = std::move(experts);
}

std::vector<EndedSequence> SchedulerCore::ended(TimePoint now) {
  std::vector<EndedSequence> result;
  auto collect = [&](SequenceId id) {
    const Sequence& sequence = sequences_.at(id);
    if (sequence.in_step) return;
    if (sequence.cancelled) {
      result.push_back({id, ErrorCode::kCancelled});
    } else if (sequence.deadline <= now) {
      result.push_back({id, ErrorCode::kDeadlineExceeded});
    }
  };
  std::ranges::for_each(running_, collect);
  std::ranges::for_each(waiting_, collect);
  for (const EndedSequence& ended : result) forget(ended.sequence, now);
  return result;
}

TimePoint SchedulerCore::next_deadline(TimePoint now) const {
  TimePoint earliest = TimePoint::max();
  for (const auto& [id, sequence] : sequences_) {
    if (sequence.in_step) continue;
    earliest = std::min(earliest, sequence.deadline);
    if (sequence.held_until > now) earliest = std::min(earliest, sequence.held_until);
  }
  return earliest;
}

void SchedulerCore::forget(SequenceId sequence, TimePoint now) {
  const auto node = sequences_.extract(sequence);
  if (std::erase(running_, sequence) > 0) {
    cache_tokens_ -= node.mapped().cache_tokens();
    look_whether_tokens_flow();
    return;
  }
  if (std::erase(waiting_, sequence) == 0) return;
  waiting_tokens_ -= node.mapped().tokens();
  shares_.left(node.mapped().client, node.mapped().cache_tokens());
  turns_.gone(now);
  estimate_.line(!waiting_.empty(), now);
}

}  // namespace sida::router
