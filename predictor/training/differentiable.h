// The networks of network_shape.h with gradients, over padded batches. The same functions as predictor/network computes
// without; tests/unit/predictor/training holds both to it.
#pragma once

#include <ATen/core/Tensor.h>

#include "predictor/network/network_shape.h"
#include "predictor/training/batch.h"
#include "predictor/training/parameters.h"

namespace sida::predictor {

// Per stack, over the N real tokens: what the head says before and after it is sharpened. Undefined tensors where the
// network has no such stack. The published network does not sharpen.
struct NamedExperts {
  at::Tensor raw;     // [N, L, experts]
  at::Tensor logits;  // [N, L, experts]
};

struct NetworkOutput {
  NamedExperts source;
  NamedExperts target;
};

// `embedding`: the model's, [vocab, d_model] fp32.
NetworkOutput run_network(const NetworkShape& shape, const ModelShape& model, const Parameters& parameters,
                          const at::Tensor& embedding, const Batch& batch);

}  // namespace sida::predictor
