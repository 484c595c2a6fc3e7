// Reproducible random weights: value i of a tensor depends on seed, name and i alone, so that file format, sharding and
// order of writing do not matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/model/model_config.h"

namespace sida::model {

// The distribution of one tensor's values.
struct WeightScale {
  float mean = 0;
  float standard_deviation = 0;
};

// By canonical name. As in Hugging Face's initialisation, with these exceptions, without which a random model repeats
// its input and sends all tokens of a sequence to one expert:
//   embedding 0.3 instead of 1: the residual stream forgets the input token before the head sees it;
//   gates 3 / sqrt(d_model) instead of 1: probabilities of a trained model's size instead of a hard choice;
//   the decoder's last norm 8 instead of 1: logits of standard deviation 2.4 in spite of the small embedding.
[[nodiscard]] WeightScale weight_scale(std::string_view name, const ModelConfig& config);

// Fills `destination` with the values from `first` on, in `dtype` (fp32, bf16 or fp16). Near-normal: the sum of four
// uniform 16-bit numbers out of one counter-based hash (SplitMix64; Steele, Lea and Flood, OOPSLA 2014). Any thread.
void random_values(std::uint64_t seed, std::string_view name, WeightScale scale, std::uint64_t first, DType dtype,
                   std::span<std::byte> destination);

}  // namespace sida::model
