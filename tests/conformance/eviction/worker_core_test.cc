// Every policy inside a worker core: random dispatches and advice, whose reads and computations end in random order.
#include "expert-worker/core/worker_core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/sim/seeds.h"
#include "tests/support/sim/sim_random.h"

namespace sida::worker {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr PeerId kControl{1};
constexpr PeerId kTensor{2};
constexpr RouterId kRouter{7};
constexpr std::int32_t kLayers = 3;
constexpr std::int32_t kExperts = 8;

// A core and what it ordered; checks on the way that what is in use is not evicted.
class Driven {
 public:
  Driven(sim::SimRandom& random, Eviction eviction, std::uint32_t slots)
      : random_(random), slots_(slots), core_(identity(slots), {.eviction = eviction}, now_) {
    proto::Hello hello;
    hello.router = kRouter;
    core_.control_message(kControl, hello, now_);
    core_.tensor_message(kTensor, hello, now_);
  }

  void dispatch() {
    std::set<std::int32_t> experts;
    for (std::uint64_t i = random_.pick(1, kExperts); i > 0; --i) experts.insert(expert());
    proto::Dispatch what{.id = {.router = kRouter, .step = StepId{1}, .layer = layer(), .part = ++part_}, .groups = {}};
    for (const std::int32_t id : experts) what.groups.push_back({ExpertId{id}, 1});
    what.shape = {DType::kFloat32, static_cast<std::uint32_t>(experts.size()), 4};
    apply(core_.tensor_message(kTensor, what, now_));
  }
  void advise() {
    proto::Prefetch advice{.sequence = SequenceId{random_.pick(1, 3)},
                           .step = static_cast<std::uint32_t>(random_.pick(0, 2)),
                           .items = {}};
    for (std::uint64_t i = random_.pick(1, 6); i > 0; --i) advice.items.push_back({{layer(), ExpertId{expert()}}, 1});
    apply(core_.control_message(kControl, advice, now_));
  }
  // Ends one thing under way. False when there is none.
  bool end_something() {
    now_ += microseconds(random_.pick(1, 2000));
    if (loads_.empty() && computes_.empty()) return false;
    if (computes_.empty() || (!loads_.empty() && random_.chance(50))) {
      const SlotId slot = loads_.extract(std::next(loads_.begin(), pick(loads_.size()))).key();
      apply(core_.load_ended(slot, {}, microseconds(500), now_));
    } else {
      const auto chosen = computes_.begin() + pick(computes_.size());
      const ComputeGroups work = *chosen;
      computes_.erase(chosen);
      for (const GroupWork& group : work.groups) in_use_.extract(in_use_.find(group.slot));
      apply(core_.compute_ended(work.job, work.groups, microseconds(10), now_));
    }
    return true;
  }
  void tick() {
    now_ = std::max(now_, core_.next_tick());
    apply(core_.tick(0, now_));
  }
  [[nodiscard]] const WorkerCore& core() const { return core_; }

 private:
  static WorkerIdentity identity(std::uint32_t slots) {
    WorkerIdentity result;
    result.welcome.name = "worker-0";
    result.welcome.worker = WorkerId{1};
    result.welcome.capacity = {.expert_bytes = 100, .slots = slots};
    result.d_model = 4;
    result.moe_layers = kLayers;
    result.experts_per_layer = kExperts;
    return result;
  }
  std::int32_t expert() { return static_cast<std::int32_t>(random_.pick(0, kExperts - 1)); }
  LayerId layer() { return LayerId{static_cast<std::int32_t>(random_.pick(0, kLayers - 1))}; }
  std::ptrdiff_t pick(std::size_t size) { return static_cast<std::ptrdiff_t>(random_.pick(0, size - 1)); }

  void apply(const WorkerActions& actions) {
    for (const WorkerAction& action : actions) {
      if (const auto* load = std::get_if<LoadExpert>(&action)) {
        EXPECT_LT(load->slot.value, slots_);
        EXPECT_FALSE(in_use_.contains(load->slot)) << "evicted while it computes";
        EXPECT_TRUE(loads_.emplace(load->slot, load->key).second) << "evicted while it is read";
      } else if (const auto* work = std::get_if<ComputeGroups>(&action)) {
        computes_.push_back(*work);
        for (const GroupWork& group : work->groups) in_use_.insert(group.slot);
      }
    }
  }

  sim::SimRandom& random_;
  const std::uint32_t slots_;
  TimePoint now_{};
  WorkerCore core_;
  std::uint32_t part_ = 0;
  std::map<SlotId, ExpertKey> loads_;
  std::vector<ComputeGroups> computes_;
  std::multiset<SlotId> in_use_;
};

class EveryEviction : public testing::TestWithParam<std::string> {};

TEST_P(EveryEviction, KeepsWhatIsInUseAndEndsEveryDispatch) {
  sim::for_each_seed(150, [&](std::uint64_t seed) {
    sim::SimRandom random(seed);
    const auto slots = static_cast<std::uint32_t>(random.pick(1, kLayers * kExperts));
    Driven driven(random, eviction_of(GetParam()), slots);
    for (int step = 0; step < 200; ++step) {
      if (random.chance(30)) driven.dispatch();
      if (random.chance(20)) driven.advise();
      if (random.chance(10)) driven.tick();
      if (random.chance(70)) driven.end_something();
    }
    int ended = 0;
    while (driven.core().jobs() > 0 && driven.end_something()) ASSERT_LT(++ended, 100'000);
    EXPECT_EQ(driven.core().jobs(), 0U) << "an expert that a dispatch wants was never read";
    EXPECT_LE(driven.core().slots().used(), slots);
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryEviction, testing::ValuesIn(eviction_names()), [](const auto& kind) {
  std::string name = kind.param;
  std::erase(name, '-');
  return name;
});

}  // namespace
}  // namespace sida::worker
