#include "tests/support/local_experts.h"

#include <memory>
#include <stdexcept>

namespace sida::testing {
namespace {

constexpr std::size_t kAlignment = 64;

}  // namespace

LocalExperts::LocalExperts(const model::ModelDirectory& model, compute::Backend& backend, DType dtype)
    : model_(model), backend_(backend), dtype_(dtype) {}

void LocalExperts::run_all() {
  while (run_one()) {
  }
}

bool LocalExperts::run_one() {
  if (!waiting_.empty()) {
    router::ExpertCall& call = *waiting_.front();
    waiting_.pop_front();
    compute(call);
    call.waiting.resume();
    return true;
  }
  if (paused_.empty()) return false;
  const auto paused = paused_.front();
  paused_.pop_front();
  ++pauses_;
  paused.resume();
  return true;
}

const PackedFfn& LocalExperts::expert(ExpertKey key) {
  const auto found = experts_.find(key);
  if (found != experts_.end()) return found->second;
  const auto packed = [&](const model::TensorInfo& info) {
    auto stored = model_.weights().read_bytes(info);
    if (!stored) throw std::runtime_error(stored.error().message);
    const std::size_t size = packed_bytes(info.shape[0], info.shape[1], dtype_);
    auto& memory = memory_.emplace_back(size + kAlignment);
    void* start = memory.data();
    std::size_t space = memory.size();
    std::align(kAlignment, size, start, space);
    return pack(stored->data(), info.dtype, info.shape[0], info.shape[1], dtype_,
                {static_cast<std::byte*>(start), size});
  };
  const model::ExpertTensors tensors = model_.expert(key);
  return experts_.emplace(key, PackedFfn{packed(*tensors.wi), packed(*tensors.wo)}).first->second;
}

void LocalExperts::compute(router::ExpertCall& call) {
  call.served_by.assign(call.experts.size(), WorkerId{});
  for (std::size_t row = 0; row < call.experts.size(); ++row) {
    if (call.experts[row] < 0) continue;
    const auto index = static_cast<std::int64_t>(row);
    const ConstRows in{call.rows.row(index / call.k), 1, call.rows.columns, call.rows.dtype};
    const Rows out{call.out.row(index), 1, call.out.columns, call.out.dtype};
    backend_.ffn(in, expert({call.layer, ExpertId{call.experts[row]}}), out);
    call.served_by[row] = WorkerId{1};
  }
}

}  // namespace sida::testing
