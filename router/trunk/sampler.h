// From scores to a token: Hugging Face's logits processors and warpers in its order, then greedy or sampled choice.
// Pure; any thread. Source of order and rules: transformers 4.57.1, generation/logits_process.py.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "router/core/request.h"

namespace sida::router {

// The history that processors look at.
struct SamplingHistory {
  std::span<const std::int32_t> decoder_tokens;  // Start token first.
  std::int64_t new_tokens = 0;                   // Generated so far.
  std::span<const std::int32_t> end_tokens;      // Forbidden before min_new_tokens.
};

// Applies repetition penalty, no-repeat n-gram and min new tokens; when sampling (temperature of 1e-4 or more) also
// temperature, top-k and top-p. Excluded tokens become -infinity. scores: [vocab], in place.
void filter_scores(std::span<float> scores, const SamplingHistory& history, const SamplingParams& params);

// Greedy: the highest score, the lowest id among equals. Otherwise a draw from softmax(scores) with the random number
// of (seed, token index): the same whatever else is in the batch. scores were filtered.
std::int32_t choose_token(std::span<const float> scores, const SamplingParams& params, std::uint64_t token_index);

// log(sum(exp(scores))), so that a token's log-probability is its score minus this.
double log_sum_exp(std::span<const float> scores);

// The ids of the `count` highest scores, the highest first, the lowest id among equals.
std::vector<std::int32_t> best_ids(std::span<const float> scores, std::size_t count);

// The `count` best tokens with their log-probabilities, best first.
std::vector<TokenLogprob> best_tokens(std::span<const float> scores, std::int32_t count);

// Uniform in [0, 1): Philox 4x32-10 (Salmon et al., SC 2011) of key `seed` and counter `index`.
double counter_random(std::uint64_t seed, std::uint64_t index);

}  // namespace sida::router
