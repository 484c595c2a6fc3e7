// Random submissions, cancellations and finishes against the promises of SchedulerCore.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "router/scheduling/scheduler_core.h"

namespace sida::router {
namespace {

using std::chrono::milliseconds;

struct Submitted {
  std::int64_t source = 0;
  std::int64_t target = 0;
  bool encoded = false;
  int ends = 0;
};

class RandomHistory {
 public:
  explicit RandomHistory(std::uint64_t seed) : random_(seed), core_(limits_) {}

  void go() {
    for (int turn = 0; turn < 200; ++turn) {
      for (std::uint64_t i = pick(0, 3); i > 0; --i) submit();
      if (pick(0, 9) == 0 && !sequences_.empty()) core_.cancel(SequenceId{pick(1, sequences_.size())});
      step();
    }
    int turns_left = 4000;  // Each step takes the front of the queue or decodes everybody: far fewer are needed.
    while (core_.waiting() + core_.running() > 0 && turns_left-- > 0) step();
    for (const auto& [id, sequence] : sequences_) EXPECT_EQ(sequence.ends, 1) << "sequence " << id.value;
  }

 private:
  std::uint64_t pick(std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>(low, high)(random_);
  }

  void submit() {
    const SequenceId id{sequences_.size() + 1};
    Submitted sequence{.source = static_cast<std::int64_t>(pick(1, 80)),
                       .target = pick(0, 2) == 0 ? static_cast<std::int64_t>(pick(1, 80)) : 0};
    const auto waiting = core_.waiting();
    const TimePoint deadline = pick(0, 3) == 0 ? now_ + milliseconds(pick(1, 50)) : TimePoint::max();
    if (core_.submit({id, sequence.source, sequence.target, deadline}, now_)) {
      sequences_.emplace(id, sequence);
      EXPECT_LE(core_.waiting(), limits_.waiting_max);
      EXPECT_TRUE(waiting == 0 || core_.waiting_tokens() <= limits_.waiting_tokens_max);
    } else {
      EXPECT_GT(waiting + core_.running(), 0U);
    }
  }

  void step() {
    now_ += milliseconds(1);
    while (auto plan = core_.next_step(now_)) {
      check(*plan);
      in_flight_.push_back(*std::move(plan));
    }
    EXPECT_LE(in_flight_.size(), 2U);
    if (!in_flight_.empty()) {
      if (pick(0, 4) == 0) core_.cancel(SequenceId{pick(1, sequences_.size())});
      const auto done = in_flight_.begin() + static_cast<std::ptrdiff_t>(pick(0, in_flight_.size() - 1));
      core_.step_done(done->step, finish_some(*done), now_);
      in_flight_.erase(done);
    }
    for (const EndedSequence& ended : core_.ended(now_)) ++sequences_.at(ended.sequence).ends;
  }

  void check(const StepPlan& plan) {
    EXPECT_LE(core_.running(), limits_.running_max);
    std::int64_t rows = 0;
    std::int64_t longest = 0;
    for (SequenceId id : plan.encode) {
      EXPECT_FALSE(sequences_.at(id).encoded);
      sequences_.at(id).encoded = true;
      EXPECT_GT(id, last_encoded_) << "first come, first served";
      last_encoded_ = id;
      rows += sequences_.at(id).source;
      longest = std::max(longest, sequences_.at(id).source);
    }
    for (SequenceId id : plan.decode) {
      for (const StepPlan& other : in_flight_) {
        EXPECT_EQ(std::count(other.decode.begin(), other.decode.end(), id), 0) << "in two steps at once";
      }
      EXPECT_TRUE(sequences_.at(id).encoded);
      EXPECT_EQ(sequences_.at(id).ends, 0);
      rows += std::max<std::int64_t>(1, sequences_.at(id).target);
      longest = std::max(longest, sequences_.at(id).target);
    }
    // Beyond the budget only by the one long piece that keeps the others from starving.
    EXPECT_LE(rows, std::max(limits_.rows_max, longest + static_cast<std::int64_t>(limits_.running_max)));
  }

  std::vector<SequenceId> finish_some(const StepPlan& plan) {
    std::vector<SequenceId> finished;
    for (SequenceId id : plan.decode) {
      if (sequences_.at(id).target == 0 && pick(0, 5) != 0) continue;
      finished.push_back(id);
      ++sequences_.at(id).ends;
    }
    return finished;
  }

  std::mt19937_64 random_;
  SchedulerLimits limits_{.waiting_max = 12, .waiting_tokens_max = 400, .running_max = 5, .rows_max = 60};
  SchedulerCore core_;
  TimePoint now_{};
  std::map<SequenceId, Submitted> sequences_;
  std::vector<StepPlan> in_flight_;
  SequenceId last_encoded_{0};
};

TEST(SchedulerCoreProperty, EverySequenceEndsOnceAndBudgetsHold) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomHistory(seed).go();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace sida::router
