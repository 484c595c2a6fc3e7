// SchedulerCore with a hash table: what overlap saves, and what it may cost those who share nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "router/scheduling/scheduler_core.h"

namespace sida::router {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kExperts = 64;
constexpr milliseconds kStep{10};
constexpr milliseconds kBound{100};

ExpertSet experts_of_topic(std::size_t topic) {
  ExpertSet set(kExperts);
  for (std::size_t expert = 0; expert < 8; ++expert) set.add(topic * 8 + expert);
  return set;
}

SchedulerLimits batches_of(std::size_t sources, Duration overtake_max) {
  return {.sources_max = sources, .overtake_max = overtake_max};
}

// Encodes everything that waits, in steps of kStep, and lets it go. Returns the experts of all steps.
std::size_t experts_touched(SchedulerCore& core, const std::vector<ExpertSet>& sets, TimePoint now) {
  std::size_t touched = 0;
  while (auto plan = core.next_step(now)) {
    ExpertSet together(kExperts);
    for (const SequenceId id : plan->encode) together.add(sets[id.value]);
    touched += together.size();
    now += kStep;
    core.step_done(plan->step, plan->encode, now);
  }
  return touched;
}

std::size_t experts_touched_by_mixed_topics(Duration overtake_max) {
  SchedulerCore core(batches_of(8, overtake_max));
  std::vector<ExpertSet> sets;
  for (std::size_t index = 0; index < 64; ++index) {
    sets.push_back(experts_of_topic(index % 8));
    EXPECT_TRUE(core.submit({SequenceId{index}, 10}, TimePoint{}));
    core.predicted(SequenceId{index}, sets.back());
  }
  return experts_touched(core, sets, TimePoint{});
}

TEST(Overlap, PutsSourcesOfOneTopicIntoOneStep) {
  EXPECT_EQ(experts_touched_by_mixed_topics(Duration{0}), 8 * kExperts);  // Every step touches all of them.
  EXPECT_EQ(experts_touched_by_mixed_topics(std::chrono::seconds(1)), kExperts);
}

TEST(Overlap, WhomNobodySharesExpertsWithBeginsTheNextStep) {
  SchedulerCore core(batches_of(2, std::chrono::hours(1)));
  const std::vector<std::size_t> topics{0, 1, 0, 0, 0};
  for (std::size_t index = 0; index < topics.size(); ++index) {
    ASSERT_TRUE(core.submit({SequenceId{index}, 10}, TimePoint{}));
    core.predicted(SequenceId{index}, experts_of_topic(topics[index]));
  }
  const auto first = core.next_step(TimePoint{});
  EXPECT_EQ(first->encode, (std::vector{SequenceId{0}, SequenceId{2}}));
  core.step_done(first->step, first->encode, TimePoint{});
  EXPECT_EQ(core.next_step(TimePoint{})->encode, (std::vector{SequenceId{1}, SequenceId{3}}));
}

TEST(Overlap, IsNoReasonToOvertakeWhereNobodyMayEvenBehindOneThatIsHeld) {
  SchedulerCore core(batches_of(2, Duration{0}));
  const std::vector<std::size_t> topics{0, 0, 1, 0};
  for (std::size_t index = 0; index < topics.size(); ++index) {
    ASSERT_TRUE(core.submit({SequenceId{index}, 10}, TimePoint{}));
    core.predicted(SequenceId{index}, experts_of_topic(topics[index]));
  }
  core.hold(SequenceId{0}, TimePoint::max());
  EXPECT_EQ(core.next_step(TimePoint{})->encode, (std::vector{SequenceId{1}, SequenceId{2}}));
}

TEST(Overlap, IgnoresPredictionsOfUnknownSequences) {
  SchedulerCore core({});
  core.predicted(SequenceId{1}, experts_of_topic(0));
  EXPECT_FALSE(core.next_step(TimePoint{}));
}

// Sources that come at random, of random topics or of none that is known, against the promises.
class RandomArrivals {
 public:
  explicit RandomArrivals(std::uint64_t seed)
      : random_(seed), core_({.waiting_max = 64, .rows_max = 90, .sources_max = 1 + pick(8), .overtake_max = kBound}) {}

  void go() {
    for (int turn = 0; turn < 150; ++turn) {
      for (std::size_t more = pick(6); more > 0; --more) submit();
      for (Waiting& source : waiting_) {
        if (!source.known && pick(3) == 0) predict(source);
      }
      step();
    }
    while (!waiting_.empty()) step();
  }

 private:
  struct Waiting {
    SequenceId id;
    std::size_t in_front = 0;  // Of it when it came, and not gone yet.
    std::int64_t rows = 0;
    TimePoint turn = TimePoint::max();
    bool known = false;
  };

  std::size_t pick(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }

  void submit() {
    const Waiting source{SequenceId{++last_}, waiting_.size(), static_cast<std::int64_t>(1 + pick(60))};
    if (core_.submit({source.id, source.rows}, now_)) waiting_.push_back(source);
    note_turns();
  }

  // First come, first served would have taken them now.
  void note_turns() {
    for (Waiting& source : waiting_) {
      if (source.in_front == 0) source.turn = std::min(source.turn, now_);
    }
  }

  void predict(Waiting& source) {
    source.known = true;
    ExpertSet set = experts_of_topic(pick(8));
    set.add(pick(kExperts));
    core_.predicted(source.id, set);
  }

  void step() {
    const auto plan = core_.next_step(now_);
    if (plan) {
      check(*plan);
      core_.step_done(plan->step, plan->encode, now_);
    }
    now_ += kStep * (1 + pick(3));
  }

  void check(const StepPlan& plan) {
    EXPECT_EQ(plan.encode.front(), waiting_.front().id) << "the oldest is in every batch";
    std::int64_t rows = 0;
    for (const SequenceId id : plan.encode) {
      const auto taken = std::ranges::find(waiting_, id, &Waiting::id);
      ASSERT_NE(taken, waiting_.end()) << "encoded twice";
      rows += taken->rows;
      for (auto older = waiting_.begin(); older != taken; ++older) {
        EXPECT_TRUE(taken->known) << "overtook without a table";
        EXPECT_TRUE(older->turn > now_ || now_ - older->turn < kBound) << "overtaken for longer than the bound";
      }
      waiting_.erase(taken);
      for (Waiting& source : waiting_) source.in_front -= source.in_front > 0 ? 1 : 0;
      note_turns();
    }
    EXPECT_TRUE(plan.encode.size() == 1 || rows <= 90);
  }

  std::mt19937_64 random_;
  SchedulerCore core_;
  TimePoint now_{};
  std::uint64_t last_ = 0;
  std::vector<Waiting> waiting_;  // In order of arrival.
};

TEST(OverlapProperty, NobodyStarvesOrIsOvertakenBeyondTheBound) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomArrivals(seed).go();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace sida::router
