#include "expert-worker/agents/compute_agent.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/runtime/clock.h"
#include "common/runtime/waiter.h"

namespace sida::worker {
namespace {

// Rows per call of the backend: long enough to read the weights seldom, short enough that progress shows several times
// a second on a slow processor (256 rows of Switch-base are 2.4 GFLOP).
constexpr std::uint32_t kRowsPerCall = 256;
constexpr int kMeasuredCallsMin = 8;

}  // namespace

ComputeAgent::ComputeAgent(std::unique_ptr<compute::Backend> backend, const SlotMemory& memory, WorkerEvents& events)
    : backend_(std::move(backend)), memory_(memory), events_(events), thread_([this] { run(); }) {}

ComputeAgent::~ComputeAgent() {
  SIDA_CHECK(orders_.post(std::nullopt));
  thread_.join();
}

void ComputeAgent::compute(Order order) {
  SIDA_CHECK(orders_.post(std::move(order)));
}

void ComputeAgent::run() {
  const std::array<int, 1> wake{orders_.wake_descriptor()};
  while (true) {
    auto order = orders_.take();
    if (!order) {
      wait_readable(wake, TimePoint::max());
      continue;
    }
    if (!*order) return;
    const TimePoint started = steady_now();
    for (const GroupWork& group : (*order)->work.groups) compute_group(group, *(*order)->rows);
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - started);
    SIDA_CHECK(events_.post(ComputeEnded{(*order)->work.job, std::move((*order)->work.groups), took}));
  }
}

void ComputeAgent::compute_group(const GroupWork& group, JobRows& rows) {
  const std::size_t row_bytes = rows.shape.columns * bytes_per_element(rows.shape.dtype);
  const PackedFfn expert = memory_.expert(group.slot);
  for (std::uint32_t done = 0; done < group.rows; done += kRowsPerCall) {
    const std::uint32_t count = std::min(kRowsPerCall, group.rows - done);
    const std::size_t offset = (group.first_row + std::size_t{done}) * row_bytes;
    const std::byte* input = rows.input.data() + offset;
    if (reinterpret_cast<std::uintptr_t>(input) % alignof(float) != 0) {  // A frame may start anywhere.
      aligned_input_.assign(input, input + count * row_bytes);
      input = aligned_input_.data();
    }
    backend_->ffn({input, count, rows.shape.columns, rows.shape.dtype}, expert,
                  {rows.output.data() + offset, count, rows.shape.columns, rows.shape.dtype});
    progress_.fetch_add(1, std::memory_order_relaxed);
  }
}

double measure_experts_per_second(compute::Backend& backend, const SlotMemory& memory, SlotId slot,
                                  std::chrono::milliseconds time) {
  const ExpertShape& shape = memory.shape();
  std::vector<std::byte> x(static_cast<std::size_t>(shape.d_model) * bytes_per_element(shape.dtype));
  std::vector<std::byte> y(x.size());
  // The quickest call: the others were disturbed by what else runs, and a worker must not be spared for that for ever.
  // On a busy machine one disturbance can last longer than `time`, so a few calls are made in any case.
  Duration quickest = Duration::max();
  const TimePoint end = steady_now() + time;
  for (int calls = 0; calls < kMeasuredCallsMin || steady_now() < end; ++calls) {
    const TimePoint started = steady_now();
    backend.ffn({x.data(), 1, shape.d_model, shape.dtype}, memory.expert(slot),
                {y.data(), 1, shape.d_model, shape.dtype});
    quickest = std::min(quickest, steady_now() - started);
  }
  return 1.0 / std::max(1e-9, std::chrono::duration<double>(quickest).count());
}

}  // namespace sida::worker
