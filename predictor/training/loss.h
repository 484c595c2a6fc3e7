// What the network is to learn of the gates.
#pragma once

#include <ATen/core/Tensor.h>

#include "predictor/training/batch.h"
#include "predictor/training/differentiable.h"

namespace sida::predictor {

// SiDA-MoE's truncated distillation (Du et al., MLSys 2024, section 3.3): the L1 distance of the softmaxes over the
// teacher's 30 largest logits, plus 0.005 cross-entropy with the gate's choice. Means over tokens and layers.
at::Tensor published_loss(const NamedExperts& named, const BatchSide& teacher);

// Cross-entropy of the sharpened logits with the gate's choice, and the squared distance of the raw ones from the
// teacher's 30 largest, in units of their variance. A gate whose softmax is nearly flat, as that of a model with
// balanced experts is, gives the published loss nearly no gradient; this one does not depend on its temperature.
at::Tensor sharpened_loss(const NamedExperts& named, const BatchSide& teacher);

// How often the gate's choice is the likeliest expert, and among the three likeliest; and the probability that the gate
// gives to those three. Sums over tokens, per layer.
struct Hits {
  at::Tensor top1;  // [L] fp64, as all.
  at::Tensor top3;
  at::Tensor gate_mass;
  std::int64_t tokens = 0;
};
Hits count_hits(const NamedExperts& named, const BatchSide& teacher);

}  // namespace sida::predictor
