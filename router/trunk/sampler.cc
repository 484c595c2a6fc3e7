#include "router/trunk/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "common/base/result.h"

namespace sida::router {
namespace {

// Below this the division overflows before it changes anything: such a draw is the best token.
constexpr float kGreedyBelow = 1e-4F;
constexpr float kExcluded = -std::numeric_limits<float>::infinity();

// Ids outside the vocabulary come from a request's prompt of another model: they penalise nothing.
bool in_vocab(std::int32_t token, std::span<const float> scores) {
  return token >= 0 && static_cast<std::size_t>(token) < scores.size();
}

void penalize_repetition(std::span<float> scores, std::span<const std::int32_t> tokens, float penalty) {
  const std::unordered_set<std::int32_t> seen(tokens.begin(), tokens.end());
  for (const std::int32_t token : seen) {
    if (!in_vocab(token, scores)) continue;
    float& score = scores[static_cast<std::size_t>(token)];
    score = score < 0 ? score * penalty : score / penalty;
  }
}

// Excludes every token that would complete an n-gram that is already there.
void exclude_repeated_ngrams(std::span<float> scores, std::span<const std::int32_t> tokens, std::size_t size) {
  if (tokens.size() + 1 < size) return;
  const auto prefix = tokens.last(size - 1);
  for (std::size_t first = 0; first + size <= tokens.size(); ++first) {
    const auto ngram = tokens.subspan(first, size);
    if (std::equal(prefix.begin(), prefix.end(), ngram.begin()) && in_vocab(ngram.back(), scores)) {
      scores[static_cast<std::size_t>(ngram.back())] = kExcluded;
    }
  }
}

// Keeps scores equal to the k-th best: ties stay, as in Hugging Face.
void keep_top_k(std::span<float> scores, std::size_t k) {
  if (k >= scores.size()) return;
  std::vector<float> sorted(scores.begin(), scores.end());
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(k - 1), sorted.end(), std::greater<>());
  const float threshold = sorted[k - 1];
  for (float& score : scores) {
    if (score < threshold) score = kExcluded;
  }
}

// Drops the least likely tokens while their probabilities sum to at most 1 - top_p; the best token always stays.
void keep_top_p(std::span<float> scores, float top_p) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  const double log_sum = log_sum_exp(scores);
  double cumulative = 0;
  for (std::size_t index = 0; index + 1 < order.size(); ++index) {
    cumulative += std::exp(static_cast<double>(scores[order[index]]) - log_sum);
    if (cumulative > 1.0 - static_cast<double>(top_p)) break;
    scores[order[index]] = kExcluded;
  }
}

std::int32_t best_token(std::span<const float> scores) {
  return static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace

void filter_scores(std::span<float> scores, const SamplingHistory& history, const SamplingParams& params) {
  if (params.repetition_penalty != 1) penalize_repetition(scores, history.decoder_tokens, params.repetition_penalty);
  if (params.no_repeat_ngram_size > 0) {
    exclude_repeated_ngrams(scores, history.decoder_tokens, static_cast<std::size_t>(params.no_repeat_ngram_size));
  }
  if (history.new_tokens < params.min_new_tokens) {
    for (const std::int32_t token : history.end_tokens) {
      if (in_vocab(token, scores)) scores[static_cast<std::size_t>(token)] = kExcluded;
    }
  }
  if (params.temperature < kGreedyBelow) return;
  for (float& score : scores) score /= params.temperature;
  if (params.top_k > 0) keep_top_k(scores, static_cast<std::size_t>(params.top_k));
  if (params.top_p < 1) keep_top_p(scores, params.top_p);
}

std::int32_t choose_token(std::span<const float> scores, const SamplingParams& params, std::uint64_t token_index) {
  SIDA_CHECK(!scores.empty());
  if (params.temperature < kGreedyBelow) return best_token(scores);
  const double log_sum = log_sum_exp(scores);
  const double drawn = counter_random(params.seed, token_index);
  double cumulative = 0;
  std::int32_t last_possible = best_token(scores);
  for (std::size_t token = 0; token < scores.size(); ++token) {
    if (scores[token] == kExcluded) continue;
    cumulative += std::exp(static_cast<double>(scores[token]) - log_sum);
    last_possible = static_cast<std::int32_t>(token);
    if (drawn < cumulative) break;
  }
  return last_possible;
}

double log_sum_exp(std::span<const float> scores) {
  const double best = *std::max_element(scores.begin(), scores.end());
  if (!std::isfinite(best)) return best;
  double sum = 0;
  for (const float score : scores) sum += std::exp(static_cast<double>(score) - best);
  return best + std::log(sum);
}

std::vector<std::int32_t> best_ids(std::span<const float> scores, std::size_t count) {
  std::vector<std::int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const std::size_t kept = std::min(order.size(), count);
  const auto better = [&](std::int32_t a, std::int32_t b) {
    const float left = scores[static_cast<std::size_t>(a)];
    const float right = scores[static_cast<std::size_t>(b)];
    return left != right ? left > right : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(), better);
  order.resize(kept);
  return order;
}

std::vector<TokenLogprob> best_tokens(std::span<const float> scores, std::int32_t count) {
  if (count <= 0) return {};
  const double log_sum = log_sum_exp(scores);
  std::vector<TokenLogprob> best;
  for (const std::int32_t token : best_ids(scores, static_cast<std::size_t>(count))) {
    const float score = scores[static_cast<std::size_t>(token)];
    best.push_back({token, static_cast<float>(static_cast<double>(score) - log_sum)});
  }
  return best;
}

double counter_random(std::uint64_t seed, std::uint64_t index) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32U); };
  std::array<std::uint32_t, 4> counter{low(index), high(index), 0, 0};
  std::array<std::uint32_t, 2> key{low(seed), high(seed)};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1), high(product0) ^ counter[3] ^ key[1],
               low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  const std::uint64_t bits = (static_cast<std::uint64_t>(counter[1]) << 32U) | counter[0];
  return static_cast<double>(bits >> 11U) * 0x1p-53;
}

}  // namespace sida::router
