// A dispatch core with workers, and short words for what happens to it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "router/dispatch/dispatch_core.h"

namespace sida::router {

constexpr std::uint64_t kRowBytes = 8;  // Two columns of fp32.
constexpr std::uint64_t kExpertsTotal = 64;
constexpr LayerId kLayer{1};
constexpr CallId kCall{1};
constexpr RouterId kRouter{77};
inline const TimePoint kStart{};
inline const TimePoint kNever = TimePoint::max();

inline proto::Member make_member(std::uint64_t id, std::uint64_t numerics = 1) {
  proto::Member member;
  member.worker = WorkerId{id};
  member.name = "worker-" + std::to_string(id);
  member.capacity.slots = 64;
  member.capacity.experts_per_second = 100;
  member.capacity.credit_bytes = 1 << 20;
  member.numerics_id = numerics;
  return member;
}

inline proto::DispatchResult result_of(const Part& part) {
  proto::DispatchResult result;
  result.id = part.id;
  result.shape = {DType::kFloat32, static_cast<std::uint32_t>(part.rows.size()), 2};
  return result;
}

template <typename Action>
std::vector<Action> all(const DispatchActions& actions) {
  std::vector<Action> result;
  for (const DispatchAction& action : actions) {
    if (const auto* wanted = std::get_if<Action>(&action)) result.push_back(*wanted);
  }
  return result;
}

inline std::vector<Part> parts(const DispatchActions& actions) {
  std::vector<Part> result;
  for (const SendPart& send : all<SendPart>(actions)) result.push_back(send.part);
  return result;
}

// The only part of the actions; fails the test when there is another number.
inline Part only_part(const DispatchActions& actions) {
  const std::vector<Part> sent = parts(actions);
  EXPECT_EQ(sent.size(), 1U);
  return sent.empty() ? Part{} : sent.front();
}

inline bool completes(const DispatchActions& actions) {
  return all<CompleteCall>(actions).size() == 1 && all<FailCall>(actions).empty();
}

class DispatchCoreTest : public testing::Test {
 protected:
  DispatchActions start(std::vector<std::int32_t> experts, CallId call = kCall, TimePoint deadline = kNever) {
    return core.start(call, StepId{5}, kLayer, experts, deadline, now);
  }
  DispatchActions join(std::vector<proto::Member> members) { return core.members_changed(std::move(members), now); }
  DispatchActions answer(const Part& part) { return core.result(part.worker, result_of(part), now); }
  DispatchActions refuse(const Part& part) {
    return core.failure(part.worker, {part.id, ErrorCode::kIo, "disk on fire"}, now);
  }
  DispatchActions wait(Duration time) {
    now += time;
    return core.tick(now);
  }
  // Sends and answers so many one-row calls, so that the budget for late resends allows a tenth of them.
  void earn_budget(int parts_sent) {
    for (int i = 0; i < parts_sent; ++i) {
      for (const Part& part : parts(start({0}, CallId{1000 + static_cast<std::uint64_t>(i)}))) answer(part);
    }
  }

  DispatchLimits limits;
  TimePoint now = kStart;
  DispatchCore core{kRouter, kRowBytes, kExpertsTotal, limits};
};

}  // namespace sida::router
