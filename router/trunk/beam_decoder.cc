#include "router/trunk/beam_decoder.h"

#include <utility>

#include "router/trunk/sampler.h"

namespace sida::router {

BeamDecoder::BeamDecoder(SamplingParams params, std::vector<std::int32_t> end_tokens)
    : params_(std::move(params)),
      end_tokens_(std::move(end_tokens)),
      search_(*params_.beam_search, params_.max_new_tokens, end_tokens_) {
  params_.temperature = 0;  // The filters of sampling do not apply.
}

std::vector<SequenceState*> BeamDecoder::states(SequenceState& encoded) {
  if (beams_.empty()) beams_.push_back(std::move(encoded));
  SIDA_CHECK(beams_.size() == search_.rows());
  std::vector<SequenceState*> states;
  for (SequenceState& beam : beams_) states.push_back(&beam);
  return states;
}

void BeamDecoder::take_row(std::size_t row, std::span<float> scores, double log_sum) {
  top_.push_back(best_tokens(scores, params_.logprobs));
  // Filters see log-probabilities here, as in Hugging Face: a repetition penalty makes all of them smaller.
  for (float& score : scores) score = static_cast<float>(static_cast<double>(score) - log_sum);
  const std::vector<float> unfiltered(scores.begin(), scores.end());
  filter_scores(scores, {beams_[row].decoder_tokens, search_.generated(), end_tokens_}, params_);
  std::vector<BeamCandidate>& candidates = candidates_.emplace_back();
  for (const std::int32_t token : best_ids(scores, search_.candidates())) {
    const auto index = static_cast<std::size_t>(token);
    candidates.push_back({token, scores[index], unfiltered[index]});
  }
}

bool BeamDecoder::advance() {
  search_.advance(candidates_);
  candidates_.clear();
  if (search_.over()) return true;
  std::vector<std::size_t> heirs(beams_.size(), 0);  // Of each state, those that go on from it.
  for (const BeamSearch::Running& running : search_.running()) ++heirs[running.parent];
  std::vector<SequenceState> next;
  for (const BeamSearch::Running& running : search_.running()) {
    SequenceState& parent = beams_[running.parent];
    next.push_back(--heirs[running.parent] == 0 ? std::move(parent) : parent.fork());
    next.back().decoder_tokens.push_back(running.tokens.back().token);
  }
  beams_ = std::move(next);
  return false;
}

std::vector<BeamResult> BeamDecoder::results() const {
  std::vector<BeamResult> results;
  for (const BeamSearch::Ended& ended : search_.results()) {
    BeamResult result{.finish_reason = ended.by_end ? FinishReason::kStop : FinishReason::kLength,
                      .score = ended.score};
    for (const BeamToken& token : ended.tokens) {
      result.tokens.push_back({token.token, token.logprob, top_[token.row]});
      result.rows.push_back(token.row);
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace sida::router
