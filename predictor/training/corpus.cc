#include "predictor/training/corpus.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/trace/fit.h"

namespace sida::predictor {
namespace {

// Whether a sequence is held out depends on the seed and its source alone, so that the same text in two traces never
// stands on both sides.
bool is_held_out(const std::vector<std::int32_t>& source, const CorpusOptions& options) {
  std::uint64_t hash = options.seed + 0x9e3779b97f4a7c15U;
  for (const std::int32_t token : source) {
    // One step of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) for each token.
    hash += 0x9e3779b97f4a7c15U + static_cast<std::uint64_t>(token);
    hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9U;
    hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebU;
    hash ^= hash >> 31U;
  }
  return static_cast<double>(hash >> 11U) * 0x1.0p-53 < options.held_out;
}

template <typename T>
void shuffle(std::vector<T>& values, std::mt19937_64& random) {
  for (std::size_t left = values.size(); left > 1; --left) std::swap(values[left - 1], values[random() % left]);
}

}  // namespace

SequenceBatches plan_batches(std::vector<SequencePlace> places, std::int64_t batch_tokens, std::mt19937_64* random) {
  // Equals in another order each time, so that batches differ between epochs.
  if (random != nullptr) shuffle(places, *random);
  std::stable_sort(places.begin(), places.end(),
                   [](const auto& a, const auto& b) { return a.source_tokens / 4 < b.source_tokens / 4; });
  SequenceBatches batches;
  std::int64_t longest_source = 0;
  std::int64_t longest_target = 0;
  for (const SequencePlace& place : places) {
    const std::int64_t source = std::max(longest_source, place.source_tokens);
    const std::int64_t target = std::max(longest_target, place.target_tokens);
    const bool fits =
        !batches.empty() && static_cast<std::int64_t>(batches.back().size() + 1) * (source + target) <= batch_tokens;
    if (!fits) batches.emplace_back();
    longest_source = fits ? source : place.source_tokens;
    longest_target = fits ? target : place.target_tokens;
    batches.back().push_back(place);
  }
  if (random != nullptr) shuffle(batches, *random);
  return batches;
}

Result<void> Corpus::add(const std::string& path, const CorpusOptions& options) {
  auto reader = trace::TraceReader::open(path);
  if (!reader) return tl::unexpected(std::move(reader).error());
  SIDA_TRY(trace::check_fits(path, reader->header(), options.model));
  while (true) {
    SequencePlace place{readers_.size(), reader->position(), 0, 0};
    auto sequence = reader->next();
    if (!sequence) return tl::unexpected(std::move(sequence).error());
    if (!*sequence) break;
    place.source_tokens = static_cast<std::int64_t>((*sequence)->source.size());
    place.target_tokens = static_cast<std::int64_t>((*sequence)->target.size());
    if (place.tokens() == 0 || place.source_tokens > kTokensMax || place.target_tokens > kTokensMax) {
      ++left_out_;
    } else {
      (is_held_out((*sequence)->source, options) ? held_out_ : training_).push_back(place);
    }
  }
  SIDA_TRY(trace::check_whole(path, *reader));
  readers_.push_back(std::move(*reader));
  return {};
}

Result<Corpus> Corpus::open(const CorpusOptions& options) {
  Corpus corpus;
  for (const std::string& path : options.traces) SIDA_TRY(corpus.add(path, options));
  if (corpus.training_.empty() || corpus.held_out_.empty()) {
    return fail(ErrorCode::kInvalidModel, (options.traces.empty() ? "--trace" : options.traces.front()) +
                                              ": too few sequences to learn from some and measure on others: record "
                                              "more with sida trace");
  }
  return corpus;
}

Result<std::vector<trace::TracedSequence>> Corpus::read(const std::vector<SequencePlace>& places) {
  std::vector<trace::TracedSequence> sequences;
  for (const SequencePlace& place : places) {
    trace::TraceReader& reader = readers_[place.trace];
    reader.seek(place.position);
    auto sequence = reader.next();
    if (!sequence) return tl::unexpected(std::move(sequence).error());
    if (!*sequence) return fail(ErrorCode::kInvalidModel, "a trace became shorter while it was read");
    sequences.push_back(std::move(**sequence));
  }
  return sequences;
}

}  // namespace sida::predictor
