// SchedulerCore beyond capacity, in virtual time: whoever is let in is done by its deadline, and as much is done in
// time as when just so much comes. The trunk is made up: a token step takes 2 ms and 40 us a row, a long step 2 ms and
// 60 us a source token, each twice that while the other runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "router/scheduling/scheduler_core.h"

namespace sida::router {
namespace {

using std::chrono::milliseconds;
using Seconds = std::chrono::duration<double>;

constexpr std::int64_t kSourceTokens = 16;
constexpr std::int64_t kMostTokens = 16;
constexpr Seconds kRun{15};

struct Count {
  double asked = 0;
  double refused = 0;
  double late = 0;                                                      // Let in, and not done in time.
  double good = 0;                                                      // Done in time,
  [[nodiscard]] double goodput() const { return good / kRun.count(); }  // a second.
  [[nodiscard]] double late_share() const { return late / std::max(1.0, asked - refused); }
};

class Overload {
 public:
  // `told`: the scheduler knows the deadlines. Else they are only looked at here.
  Overload(double rate, Duration allowed, bool told) : rate_(rate), allowed_(allowed), told_(told), core_({}) {}

  Count run() {
    const TimePoint end = TimePoint{} + std::chrono::duration_cast<Duration>(kRun);
    next_arrival_ = now_ + gap();
    while (now_ < end) {
      while (next_arrival_ <= now_) arrive();
      for (const EndedSequence& ended : core_.ended(now_)) {
        ++count_.late;
        sequences_.erase(ended.sequence);
      }
      while (auto plan = core_.next_step(now_)) begin(*std::move(plan));
      pass();
    }
    return count_;
  }

 private:
  struct Sequence {
    TimePoint deadline;
    std::int64_t tokens_left = 0;
  };
  struct Step {
    StepPlan plan;
    Duration left;  // With the trunk to itself.
  };

  Duration gap() {
    return std::chrono::duration_cast<Duration>(Seconds(std::exponential_distribution<>(rate_)(random_)));
  }

  void arrive() {
    const SequenceId id{++last_id_};
    const TimePoint deadline = next_arrival_ + allowed_;
    ++count_.asked;
    const Arrival arrival{.sequence = id,
                          .source_tokens = kSourceTokens,
                          .deadline = told_ ? deadline : TimePoint::max(),
                          .new_tokens = kMostTokens};
    if (core_.submit(arrival, now_)) {
      sequences_[id] = {deadline, std::uniform_int_distribution<std::int64_t>(2, kMostTokens)(random_)};
    } else {
      ++count_.refused;
    }
    next_arrival_ += gap();
  }

  void begin(StepPlan plan) {
    const auto rows = static_cast<std::int64_t>(plan.decode.size());
    const auto sources = static_cast<std::int64_t>(plan.encode.size());
    const std::chrono::microseconds work(2000 + 40 * rows + 60 * kSourceTokens * sources);
    steps_.push_back({std::move(plan), work});
  }

  // To the next arrival or the end of a step.
  void pass() {
    const auto sharing = static_cast<Duration::rep>(std::max<std::size_t>(1, steps_.size()));
    Duration passed = next_arrival_ - now_;
    for (const Step& step : steps_) passed = std::min(passed, step.left * sharing);
    now_ += passed;
    for (Step& step : steps_) step.left -= passed / sharing;
    for (std::size_t index = 0; index < steps_.size();) {
      if (steps_[index].left > std::chrono::nanoseconds(2)) {  // What division leaves.
        ++index;
        continue;
      }
      finish(steps_[index].plan);
      steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(index));
    }
  }

  void finish(const StepPlan& plan) {
    std::vector<SequenceId> finished;
    for (const SequenceId id : plan.decode) {
      Sequence& sequence = sequences_.at(id);
      if (--sequence.tokens_left > 0) continue;
      ++(now_ <= sequence.deadline ? count_.good : count_.late);
      sequences_.erase(id);
      finished.push_back(id);
    }
    core_.step_done(plan.step, finished, now_);
  }

  const double rate_;
  const Duration allowed_;
  const bool told_;
  SchedulerCore core_;
  std::mt19937_64 random_{7};
  TimePoint now_{};
  TimePoint next_arrival_;
  std::uint64_t last_id_ = 0;
  std::map<SequenceId, Sequence> sequences_;
  std::vector<Step> steps_;
  Count count_;
};

// What is done in time of as many requests a second as can be.
double capacity(Duration allowed) {
  double best = 0;
  for (double rate = 300; rate < 800; rate *= 1.15)
    best = std::max(best, Overload(rate, allowed, true).run().goodput());
  return best;
}

class OverloadTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(AllowedMs, OverloadTest, ::testing::Values(200, 500, 2000));

TEST_P(OverloadTest, AsMuchIsDoneInTimeAtAnyLoadBeyondCapacity) {
  const milliseconds allowed(GetParam());
  const double peak = capacity(allowed);
  for (const double times : {1, 2, 5, 10}) {
    const Count count = Overload(times * peak, allowed, true).run();
    std::printf("%d ms, %.0f times %.0f/s: %.1f/s in time (%.0f %%), %.2f %% of those let in late\n", GetParam(), times,
                peak, count.goodput(), 100 * count.goodput() / peak, 100 * count.late_share());
    EXPECT_GE(count.goodput(), 0.9 * peak) << times;
    EXPECT_LE(count.late_share(), 0.05) << times;
  }
}

TEST_P(OverloadTest, AlmostNobodyIsRefusedWellBelowCapacity) {
  const milliseconds allowed(GetParam());
  const Count count = Overload(0.7 * capacity(allowed), allowed, true).run();
  EXPECT_LE(count.refused + count.late, 0.01 * count.asked);
}

// What the estimate is for.
TEST(OverloadWithoutDeadlines, AlmostNothingIsDoneInTime) {
  const milliseconds allowed(500);
  const double peak = capacity(allowed);
  EXPECT_LT(Overload(5 * peak, allowed, false).run().goodput(), 0.5 * peak);
}

}  // namespace
}  // namespace sida::router
