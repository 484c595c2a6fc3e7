// T5's relative position buckets: which of the 32 learned biases a (query, key) distance takes.
#pragma once

#include <cstdint>

#include "common/compute/backend.h"

namespace sida::compute {

inline constexpr std::int64_t kPositionBuckets = 32;

// `distance` = key position - query position. Bidirectional: 0-15 for keys at or before the query, 16-31 after it.
// Causal: 0-31 by how far the key lies behind; keys after the query (masked by attention) take bucket 0.
// The thresholds are a table, so that no logarithm of any library decides at 16, 32 or 64 (Raffel et al. 2020, as
// Hugging Face Transformers 4.57 evaluates it in fp32).
std::int32_t relative_position_bucket(std::int64_t distance, Direction direction);

}  // namespace sida::compute
