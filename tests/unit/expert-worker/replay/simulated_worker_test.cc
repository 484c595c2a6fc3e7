// What the order of reads promises, on the real core with a disk in virtual time.
#include "expert-worker/replay/simulated_worker.h"

#include <gtest/gtest.h>

namespace sida::worker::replay {
namespace {

using std::chrono::microseconds;

constexpr microseconds kRead{8000};
constexpr microseconds kPiece{1000};
constexpr microseconds kCompute{300};

// Twelve experts, two slots, and nothing read yet but what the worker reads for its own sake.
class SimulatedWorkerTest : public testing::Test {
 protected:
  static ReplayOptions options() {
    return {.slots = 2,
            .prefetch = PrefetchMode::kOn,
            .read_time = kRead,
            .pieces = 8,
            .compute_time = kCompute,
            .hint_time = microseconds(0)};
  }
  SimulatedWorkerTest() { worker_.run_until_idle(); }

  // Any but the first two: those it has read for its own sake.
  static LayerCall call(std::int32_t expert) { return {LayerId{0}, {{ExpertId{expert}, 1}}, {}}; }
  void advise(std::int32_t expert) {
    worker_.advise({SequenceId{1}, 0, {{{LayerId{0}, ExpertId{expert}}, 1}}}, worker_.now());
  }
  Duration time_of(const LayerCall& what) {
    const TimePoint sent = worker_.now();
    worker_.call(what);
    return worker_.now() - sent;
  }

  const Routes routes_{.moe_layers = 1, .experts_per_layer = 12, .sequences = {}};
  SimulatedWorker worker_{routes_, options()};
};

TEST_F(SimulatedWorkerTest, MakesADemandWaitForAtMostOnePieceOfAReadOfAdvice) {
  advise(5);
  worker_.run_until(worker_.now() + kPiece / 2);
  const Duration took = time_of(call(7));
  EXPECT_GE(took, kRead + kCompute);
  EXPECT_LE(took, kRead + kCompute + kPiece);
}

TEST_F(SimulatedWorkerTest, GoesOnWithAnInterruptedReadWhereItWas) {
  advise(5);
  worker_.run_until(worker_.now() + 4 * kPiece);
  time_of(call(7));
  EXPECT_LE(time_of(call(5)), kRead / 2 + kCompute) << "half of it had been read";
}

TEST_F(SimulatedWorkerTest, SharesAReadUnderWayWithTheDispatchThatDemandsIt) {
  advise(5);
  worker_.run_until(worker_.now() + 6 * kPiece);
  EXPECT_EQ(time_of(call(5)), 2 * kPiece + kCompute);
}

TEST_F(SimulatedWorkerTest, StopsReadingForASequenceThatEnds) {
  advise(5);
  worker_.run_until(worker_.now() + kPiece / 2);
  worker_.forget(SequenceId{1});
  worker_.run_until_idle();
  EXPECT_EQ(worker_.core().slots().state({LayerId{0}, ExpertId{5}}), Residence::kAbsent);
  EXPECT_EQ(worker_.core().counters().prefetches_cancelled, 1U);
}

}  // namespace
}  // namespace sida::worker::replay
