#include "router/trunk/beam_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/result.h"

namespace sida::router {
namespace {

// The score of what must not be chosen while anything else is there; as in the source, so that sums round alike.
constexpr float kHardlyEver = -1.0e9F;

}  // namespace

struct BeamSearch::Continuation {
  float score = 0;
  std::size_t beam = 0;
  std::size_t row = 0;
  BeamCandidate candidate;
  bool ends = false;   // With an end token.
  bool stops = false;  // For this reason, or since it is as long as it may be.
};

BeamSearch::BeamSearch(const BeamParams& params, std::int32_t max_new_tokens, std::vector<std::int32_t> end_tokens)
    : params_(params), max_new_tokens_(max_new_tokens), end_tokens_(std::move(end_tokens)) {
  SIDA_CHECK(params.beams >= 2 && params.returned >= 1 && params.returned <= params.beams && max_new_tokens >= 1);
  running_.resize(static_cast<std::size_t>(params.beams));
  // All are equal before the first step: else it would choose the same tokens for each.
  for (std::size_t beam = 1; beam < running_.size(); ++beam) running_[beam].score = kHardlyEver;
}

// So many that as many as there are beams go on, even if every beam could end in every way.
std::size_t BeamSearch::candidates() const {
  return std::max<std::size_t>(2, 1 + end_tokens_.size()) * static_cast<std::size_t>(params_.beams);
}

std::vector<BeamSearch::Continuation> BeamSearch::best_continuations(
    std::span<const std::vector<BeamCandidate>> rows) const {
  std::vector<Continuation> all;
  for (std::size_t beam = 0; beam < running_.size(); ++beam) {
    const std::size_t row = rows.size() == 1 ? 0 : beam;
    for (const BeamCandidate& candidate : rows[row]) {
      const bool ends = std::ranges::find(end_tokens_, candidate.token) != end_tokens_.end();
      all.push_back({.score = running_[beam].score + candidate.score,
                     .beam = beam,
                     .row = row,
                     .candidate = candidate,
                     .ends = ends,
                     .stops = ends || generated_ >= max_new_tokens_});
    }
  }
  std::ranges::stable_sort(all, std::greater<>(), &Continuation::score);
  if (all.size() > candidates()) all.resize(candidates());
  return all;
}

std::vector<BeamToken> BeamSearch::tokens_of(const Continuation& continuation) const {
  std::vector<BeamToken> tokens = running_[continuation.beam].tokens;
  tokens.push_back({continuation.candidate.token, continuation.candidate.logprob, rows_before_ + continuation.row});
  return tokens;
}

float BeamSearch::per_length(float score, std::int32_t length) const {
  return score / static_cast<float>(std::pow(static_cast<double>(length), params_.length_penalty));
}

void BeamSearch::advance(std::span<const std::vector<BeamCandidate>> rows) {
  SIDA_CHECK(!over_ && rows.size() == this->rows());
  ++generated_;
  std::vector<Continuation> best = best_continuations(rows);
  SIDA_CHECK(!best.empty());
  const auto beams = static_cast<std::size_t>(params_.beams);
  // Those behind the first `beams` are there to go on only.
  for (std::size_t index = 0; index < std::min(beams, best.size()); ++index) {
    if (best[index].stops) end(best[index]);
  }
  const bool none_goes_on = std::ranges::all_of(best, &Continuation::stops);
  run_on(std::move(best));
  rows_before_ += rows.size();
  const bool enough = ended_.size() == beams && params_.early_stopping == EarlyStopping::kYes;
  over_ = none_goes_on || enough || !may_improve();
}

void BeamSearch::end(const Continuation& continuation) {
  Ended ended{.tokens = tokens_of(continuation),
              .score = per_length(continuation.score, generated_),
              .by_end = continuation.ends};
  const auto place = std::ranges::find_if(ended_, [&](const Ended& other) { return other.score < ended.score; });
  ended_.insert(place, std::move(ended));
  if (ended_.size() > static_cast<std::size_t>(params_.beams)) ended_.pop_back();
}

void BeamSearch::run_on(std::vector<Continuation> best) {
  for (Continuation& continuation : best) continuation.score += continuation.stops ? kHardlyEver : 0.0F;
  std::ranges::stable_sort(best, std::greater<>(), &Continuation::score);
  std::vector<Running> next;
  for (const Continuation& continuation : best) {
    if (next.size() == static_cast<std::size_t>(params_.beams)) break;
    next.push_back({tokens_of(continuation), continuation.score, continuation.row});
  }
  running_ = std::move(next);
}

// Whether the best that runs may still come before the worst that ended.
bool BeamSearch::may_improve() const {
  const bool longest = params_.early_stopping == EarlyStopping::kNever && params_.length_penalty > 0;
  const float hoped = per_length(running_.front().score, longest ? max_new_tokens_ : generated_);
  const bool full = ended_.size() == static_cast<std::size_t>(params_.beams);
  return hoped > (full ? ended_.back().score : kHardlyEver);
}

std::vector<BeamSearch::Ended> BeamSearch::results() const {
  const auto wanted = static_cast<std::size_t>(params_.returned);
  std::vector<Ended> results(ended_.begin(),
                             ended_.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, ended_.size())));
  for (const Running& running : running_) {
    if (results.size() == wanted) break;
    results.push_back({running.tokens, per_length(running.score, generated_), false});
  }
  return results;
}

}  // namespace sida::router
