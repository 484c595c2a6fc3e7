#include "router/scheduling/worker_demand.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

namespace sida::router {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart = TimePoint{} + seconds(1000);
constexpr WorkerDemand::Layers kLayers{.encoder = 6, .decoder = 4};

TEST(WorkerDemand, CountsRowsOfEveryMoeLayer) {
  const WorkerDemand demand(kLayers);
  EXPECT_EQ(demand.rows_of({.source_tokens = 10}), 60);
  EXPECT_EQ(demand.rows_of({.target_tokens = 10}), 40);
  // Nothing has ended yet, so the whole of what was asked for is foreseen.
  EXPECT_EQ(demand.rows_of({.new_tokens_max = 100}), 400);
}

TEST(WorkerDemand, ForeseesThatSequencesEndAsOthersDid) {
  WorkerDemand demand(kLayers);
  for (int i = 0; i < 10; ++i) demand.ended(20);
  EXPECT_EQ(demand.rows_of({.new_tokens_max = 1000}), 80);
  EXPECT_EQ(demand.rows_of({.new_tokens_max = 990, .new_tokens = 10}), 40);
  EXPECT_EQ(demand.rows_of({.new_tokens_max = 900, .new_tokens = 100}), 4) << "it is longer than most already";
  EXPECT_EQ(demand.rows_of({.new_tokens_max = 5}), 20) << "never more than it may";
  EXPECT_EQ(demand.rows_of({}), 0);
}

TEST(WorkerDemand, MeasuresAWorkerByItsBestSecond) {
  WorkerDemand demand(kLayers, seconds(10));
  demand.served(0, 2, kStart);
  demand.served(500, 2, kStart + milliseconds(100));  // Too short to tell.
  demand.served(2000, 2, kStart + seconds(1));
  demand.served(2100, 2, kStart + seconds(2));  // Little was asked of them.
  EXPECT_NEAR(demand.workers(30'000, 0), 3, 0.01);
}

TEST(WorkerDemand, ForgetsABestSecondSlowly) {
  WorkerDemand demand(kLayers, seconds(10));
  demand.served(0, 1, kStart);
  demand.served(1000, 1, kStart + seconds(1));
  demand.served(1000, 1, kStart + seconds(601));
  EXPECT_NEAR(demand.workers(10'000, 0), 2, 0.01);
}

TEST(WorkerDemand, TakesARestartedWorkerForNothing) {
  WorkerDemand demand(kLayers, seconds(10));
  demand.served(1'000'000, 2, kStart);
  demand.served(10, 2, kStart + seconds(1));
  demand.served(2010, 2, kStart + seconds(2));
  EXPECT_NEAR(demand.workers(30'000, 0), 3, 0.01);
}

TEST(WorkerDemand, BelievesWhatWorkersAnnounceUntilMoreWasSeen) {
  WorkerDemand demand(kLayers, seconds(10));
  EXPECT_EQ(demand.workers(10'000, 0), 0) << "nothing is known";
  EXPECT_EQ(demand.workers(10'000, 500), 2);
  demand.served(0, 1, kStart);
  demand.served(1000, 1, kStart + seconds(1));
  EXPECT_EQ(demand.workers(10'000, 500), 1);
  EXPECT_EQ(demand.workers(0, 500), 0);
}

// A cluster in virtual time, scaled by a rule as KEDA and the HPA do: looked at every five seconds, up at once, down by
// one when less was wanted for two minutes; a worker is there thirty seconds after it was wanted. Capacity is shared by
// all that is admitted.
class ScaledCluster {
 public:
  struct Arrival {
    double time;
    double rows;
  };
  struct Outcome {
    double wait_p95;      // Seconds from arrival to the end.
    double workers_mean;  // Paid for.
  };
  static constexpr double kRowsPerSecond = 3000;  // Of a worker.

  // Two requests a second for an hour; for three minutes of every ten half of them are long, else one in fifty.
  static std::vector<Arrival> traffic(unsigned seed) {
    std::mt19937_64 random(seed);
    const auto uniform = [&](double from, double to) {
      return from + (to - from) * static_cast<double>(random() >> 11U) * 0x1p-53;
    };
    std::vector<Arrival> arrivals;
    for (double time = 0; time < 3600;) {
      const double of_ten_minutes = std::fmod(time, 600);
      const double long_share = of_ten_minutes >= 300 && of_ten_minutes < 480 ? 0.5 : 0.02;
      time -= std::log(1 - uniform(0, 1)) / 2;
      const bool is_long = uniform(0, 1) < long_share;
      arrivals.push_back({time, is_long ? uniform(20'000, 60'000) : uniform(300, 2000)});
    }
    return arrivals;
  }

  // `wanted`: from the sequences that run and their rows left to a number of workers.
  using Rule = std::function<double(std::size_t sequences, double rows)>;

  static Outcome run(const std::vector<Arrival>& arrivals, const Rule& wanted) {
    ScaledCluster cluster;
    std::size_t next = 0;
    double paid = 0;
    double time = 0;
    for (; next < arrivals.size() || !cluster.jobs_.empty(); time += kTick) {
      for (; next < arrivals.size() && arrivals[next].time <= time; ++next) {
        cluster.jobs_.push_back({arrivals[next].rows, arrivals[next].time});
      }
      cluster.scale(wanted, time);
      paid += kTick * static_cast<double>(cluster.ready_ + cluster.starting_.size());
      cluster.work(time);
    }
    std::ranges::sort(cluster.waits_);
    return {cluster.waits_[cluster.waits_.size() * 95 / 100], paid / time};
  }

 private:
  struct Job {
    double rows;
    double arrived;
  };
  static constexpr double kTick = 0.5;

  void scale(const Rule& wanted, double time) {
    ready_ += static_cast<std::size_t>(std::erase_if(starting_, [&](double there) { return there <= time; }));
    if (time < next_look_) return;
    next_look_ = time + 5;
    double rows = 0;
    for (const Job& job : jobs_) rows += job.rows;
    const auto want = static_cast<std::size_t>(std::clamp(std::ceil(wanted(jobs_.size(), rows)), 2.0, 20.0));
    const std::size_t have = ready_ + starting_.size();
    if (want >= have) less_since_ = time;
    for (std::size_t i = have; i < want; ++i) starting_.push_back(time + 30);
    if (time - less_since_ >= 120 && starting_.empty()) --ready_;
  }

  void work(double time) {
    double rows = static_cast<double>(ready_) * kRowsPerSecond * kTick;
    while (rows > 1e-6 && !jobs_.empty()) {
      const double least = std::ranges::min(jobs_, {}, &Job::rows).rows;
      const double each = std::min(least, rows / static_cast<double>(jobs_.size()));
      rows -= each * static_cast<double>(jobs_.size());
      for (Job& job : jobs_) job.rows -= each;
      std::erase_if(jobs_, [&](const Job& job) {
        if (job.rows > 1e-6) return false;
        waits_.push_back(time - job.arrived);
        return true;
      });
    }
  }

  std::vector<Job> jobs_;
  std::vector<double> waits_;
  std::size_t ready_ = 2;
  std::vector<double> starting_;  // When each will be there.
  double next_look_ = 0;
  double less_since_ = 0;
};

// Both rules are tuned: the queue's length per worker, of those tried, that waits as long as the demand's does.
TEST(WorkerDemand, ServesAsFastAsScalingByQueueLengthWithFewerWorkers) {
  WorkerDemand demand(kLayers);
  const auto rate = static_cast<std::uint64_t>(ScaledCluster::kRowsPerSecond);
  demand.served(0, 1, kStart);
  demand.served(rate, 1, kStart + seconds(1));
  for (const unsigned seed : {1U, 2U, 3U}) {
    const auto traffic = ScaledCluster::traffic(seed);
    const auto by_demand =
        ScaledCluster::run(traffic, [&](std::size_t, double rows) { return demand.workers(rows, 0); });
    double fewest = 1e9;
    for (const double per_worker : {0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0, 16.0}) {
      const auto by_length = ScaledCluster::run(
          traffic, [&](std::size_t sequences, double) { return static_cast<double>(sequences) / per_worker; });
      if (by_length.wait_p95 <= by_demand.wait_p95) fewest = std::min(fewest, by_length.workers_mean);
    }
    EXPECT_LT(by_demand.workers_mean, 0.95 * fewest) << "seed " << seed;
    RecordProperty("seed_" + std::to_string(seed) + "_workers_by_demand", std::to_string(by_demand.workers_mean));
    RecordProperty("seed_" + std::to_string(seed) + "_workers_by_length", std::to_string(fewest));
    RecordProperty("seed_" + std::to_string(seed) + "_wait_p95", std::to_string(by_demand.wait_p95));
  }
}

}  // namespace
}  // namespace sida::router
