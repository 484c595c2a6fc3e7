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
  bool two_valued = false;  // mean ± standard_deviation, nothing between.
};

// By canonical name. As in Hugging Face's initialisation, with these exceptions, without which a random model repeats
// one token and sends most of a sequence to one expert:
//   the decoder's last norm ±2.5 instead of 1: with a tied embedding, the random signs keep the head from answering the
//     token it was given; logits get a standard deviation of 2.5;
//   queries four times larger, so that attention picks tokens rather than averaging them, and its output half as large;
//   gates 3 / sqrt(d_model) instead of 1: probabilities as of a trained model (0.7 on average for 8 experts).
// Measured with Hugging Face on the geometry of switch-base-8 (12 layers, 192 random tokens): each MoE layer uses the
// equivalent of 5 to 7 experts (exponential of the entropy), and 30 greedy tokens are all different.
[[nodiscard]] WeightScale weight_scale(std::string_view name, const ModelConfig& config);

// Fills `destination` with the values from `first` on, in `dtype` (fp32, bf16 or fp16). Near-normal: the sum of four
// uniform 16-bit numbers out of one counter-based hash (SplitMix64; Steele, Lea and Flood, OOPSLA 2014). Any thread.
void random_values(std::uint64_t seed, std::string_view name, WeightScale scale, std::uint64_t first, DType dtype,
                   std::span<std::byte> destination);

// Fills `destination` with int16 numbers from 0 to `below` - 1, by the same hash: value i of a tensor depends on seed,
// name and i alone.
void random_choices(std::uint64_t seed, std::string_view name, std::int64_t below, std::uint64_t first,
                    std::span<std::byte> destination);

}  // namespace sida::model
