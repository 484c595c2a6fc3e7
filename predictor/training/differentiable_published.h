// SiDA-MoE's network with gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include "predictor/network/network_shape.h"
#include "predictor/training/batch.h"
#include "predictor/training/parameters.h"

namespace sida::predictor {

// [N, L, experts] over the real tokens of the source.
at::Tensor run_published(const ModelShape& model, const Parameters& parameters, const at::Tensor& embedding,
                         const BatchSide& source);

}  // namespace sida::predictor
