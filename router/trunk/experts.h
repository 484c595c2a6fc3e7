// The one place where a forward pass waits: `co_await run_experts(experts, call)`.
#pragma once

#include <coroutine>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/runtime/clock.h"
#include "common/tensor/rows.h"

namespace sida::router {

// One MoE layer over the rows of one micro-batch. Lives in the coroutine's frame while it waits.
struct ExpertCall {
  StepId step;
  LayerId layer;
  ConstRows rows;                         // [rows, d_model], compute dtype.
  std::span<const std::int32_t> experts;  // [rows]; -1: no expert, the out row is left alone.
  Rows out;                               // [rows, d_model], compute dtype.
  TimePoint deadline = TimePoint::max();

  // Written by the implementation.
  std::vector<WorkerId> served_by;  // [rows]; zero where no expert served it.
  Result<void> result;
  std::coroutine_handle<> waiting;
};

class Experts {
 public:
  virtual ~Experts() = default;
  // Begins a call. Later, on the same thread and never from inside start(), the implementation sets call.result and
  // call.served_by and resumes call.waiting, exactly once.
  virtual void start(ExpertCall& call) = 0;
};

inline auto run_experts(Experts& experts, ExpertCall& call) {
  struct Awaiter {
    Experts& experts;
    ExpertCall& call;
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) {
      call.waiting = waiting;
      experts.start(call);
    }
    Result<void> await_resume() { return std::move(call.result); }
  };
  return Awaiter{experts, call};
}

}  // namespace sida::router
