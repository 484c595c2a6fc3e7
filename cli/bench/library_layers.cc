#include "cli/bench/library_layers.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace sida::bench {
namespace {

// Two matrices, plain or packed.
struct Weights {
  at::Tensor wi, wo;
};

// LibTorch has no C++ function for these operators; they are reached by name.
at::Tensor call_operator(const char* name, std::vector<c10::IValue> arguments) {
  c10::Dispatcher::singleton().findSchemaOrThrow(name, "").callBoxed(arguments);
  return arguments.front().toTensor();
}

at::Tensor packed(const at::Tensor& weight, std::int64_t rows) {
  return call_operator("mkldnn::_reorder_linear_weight", {weight, rows});
}

at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& weight, const char* after) {
  return call_operator("mkldnn::_linear_pointwise", {x, weight, c10::IValue(), std::string(after),
                                                     c10::List<std::optional<at::Scalar>>(), std::string()});
}

}  // namespace

struct LibraryLayers::State {
  LibraryShape shape;
  at::Tensor x;
  std::vector<Weights> plain;
  std::vector<Weights> prepacked;
  std::size_t turn = 0;

  const Weights& next(Packing packing) {
    turn = (turn + 1) % shape.copies;
    return packing == Packing::kPlain ? plain[turn] : prepacked[turn];
  }
};

LibraryLayers::LibraryLayers(const LibraryShape& shape) : state_(std::make_unique<State>()) {
  state_->shape = shape;
  setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);  // Large pages for LibTorch too; read at its first allocation.
}
LibraryLayers::~LibraryLayers() = default;

Result<void> LibraryLayers::set_rows(std::int64_t rows) {
  const c10::InferenceMode no_gradients;
  try {
    State& s = *state_;
    at::set_num_threads(s.shape.threads);
    const auto options = at::TensorOptions().dtype(s.shape.dtype == DType::kBFloat16 ? at::kBFloat16 : at::kFloat);
    s.x = at::rand({rows, s.shape.inputs}, options) - 0.5;
    while (s.plain.size() < s.shape.copies) {
      s.plain.push_back({at::rand({s.shape.outputs, s.shape.inputs}, options) - 0.5,
                         at::rand({s.shape.inputs, s.shape.outputs}, options) - 0.5});
    }
    s.prepacked.clear();
    for (const Weights& weights : s.plain) {
      s.prepacked.push_back({packed(weights.wi, rows), packed(weights.wo, rows)});
    }
    expert(Packing::kPlain);
    expert(Packing::kPacked);
  } catch (const std::exception& thrown) {
    const std::string what = thrown.what();
    return fail(ErrorCode::kInternal, "LibTorch: " + what.substr(0, what.find('\n')));
  }
  return {};
}

void LibraryLayers::linear(Packing packing) {
  const c10::InferenceMode no_gradients;
  const Weights& weights = state_->next(packing);
  const at::Tensor y =
      packing == Packing::kPlain ? at::linear(state_->x, weights.wi) : packed_linear(state_->x, weights.wi, "none");
}

void LibraryLayers::expert(Packing packing) {
  const c10::InferenceMode no_gradients;
  const Weights& weights = state_->next(packing);
  if (packing == Packing::kPlain) {
    at::Tensor inner = at::linear(state_->x, weights.wi);
    const at::Tensor y = at::linear(inner.relu_(), weights.wo);
  } else {
    const at::Tensor y = packed_linear(packed_linear(state_->x, weights.wi, "relu"), weights.wo, "none");
  }
}

}  // namespace sida::bench
