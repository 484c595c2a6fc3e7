// The one place where a forward pass waits: `experts.start(call)`, and some time later `co_await answer_of(call)`; and
// where it lets others through: `co_await pause(experts)`.
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
  std::int32_t k = 1;                     // Experts per row.
  std::span<const std::int32_t> experts;  // [rows, k]; -1: no expert, the out row is left alone.
  Rows out;                               // [rows * k, d_model], compute dtype; one row per element of `experts`.
  TimePoint deadline = TimePoint::max();

  // Written by the implementation.
  std::vector<WorkerId> served_by;  // [rows, k]; zero where no expert served it.
  Result<void> result;
  std::coroutine_handle<> waiting;
};

class Experts {
 public:
  virtual ~Experts() = default;
  // Begins a call. Later, on the same thread, never from inside start(), and only when the coroutine that started it
  // has suspended in answer_of(), the implementation sets call.result and call.served_by and resumes call.waiting,
  // once.
  virtual void start(ExpertCall& call) = 0;
  // Resumes it later, on the same thread and never from inside later(), when others had their turn.
  virtual void later(std::coroutine_handle<> paused) = 0;
};

// `co_await pause(experts)`: lets others compute for a moment. Not between start() and answer_of().
inline auto pause(Experts& experts) {
  struct Awaiter {
    Experts& experts;
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> paused) { experts.later(paused); }
    void await_resume() noexcept {}
  };
  return Awaiter{experts};
}

// Of a call that was started on this thread, with no other wait between: its result.
inline auto answer_of(ExpertCall& call) {
  struct Awaiter {
    ExpertCall& call;
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) noexcept { call.waiting = waiting; }
    Result<void> await_resume() { return std::move(call.result); }
  };
  return Awaiter{call};
}

}  // namespace sida::router
