// A worker core with one router, and what its tests ask of its actions.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "expert-worker/core/worker_core.h"

namespace sida::worker {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

inline constexpr PeerId kControl{1};
inline constexpr PeerId kTensor{2};
inline constexpr RouterId kRouter{7};
inline constexpr WorkerId kSelf{42};
inline constexpr LayerId kLayer{0};

template <typename Action>
std::vector<Action> all(const WorkerActions& actions) {
  std::vector<Action> result;
  for (const WorkerAction& action : actions) {
    if (const auto* wanted = std::get_if<Action>(&action)) result.push_back(*wanted);
  }
  return result;
}

// Messages of one type among those sent on either link.
template <typename Message>
std::vector<Message> sent(const WorkerActions& actions) {
  std::vector<Message> result;
  const auto keep = [&](const proto::Message& message) {
    if (const auto* wanted = std::get_if<Message>(&message)) result.push_back(*wanted);
  };
  for (const SendControl& send : all<SendControl>(actions)) keep(send.message);
  for (const SendTensor& send : all<SendTensor>(actions)) keep(send.message);
  return result;
}

class WorkerCoreTest : public testing::Test {
 protected:
  static WorkerIdentity identity(std::uint32_t slots) {
    WorkerIdentity result;
    result.welcome.worker = kSelf;
    result.welcome.name = "worker-0";
    result.welcome.capacity = {.expert_bytes = 100, .slots = slots};
    result.compute_dtype = DType::kFloat32;
    result.d_model = 4;
    result.moe_layers = 2;
    result.experts_per_layer = 8;
    return result;
  }

  // Prefetching is on, whether it pays or not, unless the limits say otherwise.
  void begin(std::uint32_t slots, WorkerLimits limits = {.prefetch = PrefetchMode::kOn}) {
    core.emplace(identity(slots), limits, now);
    core->control_message(kControl, hello(), now);
    core->tensor_message(kTensor, hello(), now);
  }

  static proto::Hello hello() {
    proto::Hello result;
    result.router = kRouter;
    return result;
  }

  proto::Dispatch dispatch(std::vector<proto::Dispatch::Group> groups) {
    std::uint32_t rows = 0;
    for (const auto& group : groups) rows += group.rows;
    return {.id = {.router = kRouter, .step = StepId{1}, .layer = kLayer, .part = part++},
            .groups = std::move(groups),
            .shape = {DType::kFloat32, rows, 4}};
  }

  WorkerActions send(const proto::Dispatch& what) { return core->tensor_message(kTensor, what, now); }
  WorkerActions loaded(const LoadExpert& load) { return core->load_ended(load.slot, {}, microseconds(1000), now); }
  WorkerActions computed(const ComputeGroups& work) {
    return core->compute_ended(work.job, work.groups, microseconds(10), now);
  }
  static proto::Prefetch::Item item(std::int32_t layer, std::int32_t expert) {
    return {{LayerId{layer}, ExpertId{expert}}, 1};
  }
  // Has the expert compute a row, and before that read it if it is not there.
  void make_resident(std::int32_t expert) {
    auto actions = send(dispatch({{ExpertId{expert}, 1}}));
    for (const ComputeGroups& work : all<ComputeGroups>(actions)) computed(work);
    for (const LoadExpert& load : all<LoadExpert>(actions)) {
      for (const ComputeGroups& work : all<ComputeGroups>(loaded(load))) computed(work);
    }
  }

  TimePoint now{};
  std::uint32_t part = 0;
  std::optional<WorkerCore> core;
};

}  // namespace sida::worker
