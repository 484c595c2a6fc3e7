// The head of a sequence classification: from the encoder's output to logits.
#pragma once

#include <vector>

#include "common/compute/backend.h"
#include "common/tensor/rows.h"
#include "router/trunk/trunk_weights.h"

namespace sida::router {

// out_proj(tanh(dense(mean of the rows))), one logit per label, all in fp32. `encoded`: the encoder's output of one
// sequence's tokens, [tokens, d_model], at least one; fp32 or bf16. Its bits depend on these rows alone.
[[nodiscard]] std::vector<float> classify(compute::Backend& backend, const HeadWeights& head, ConstRows encoded);

}  // namespace sida::router
