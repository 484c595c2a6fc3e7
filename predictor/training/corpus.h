// The sequences of some traces: which to learn from, which to measure on, and in what order.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/trace/trace_reader.h"

namespace sida::predictor {

struct CorpusOptions {
  std::vector<std::string> traces;
  trace::TraceHeader model;  // As a trace of the model has it (common/trace/fit.h).
  double held_out = 0.05;
  std::uint64_t seed = 1;
};

// Where one sequence lies.
struct SequencePlace {
  std::size_t trace = 0;
  std::uint64_t position = 0;
  std::int64_t source_tokens = 0;
  std::int64_t target_tokens = 0;
  [[nodiscard]] std::int64_t tokens() const { return source_tokens + target_tokens; }
};

using SequenceBatches = std::vector<std::vector<SequencePlace>>;

// Sequences of like length together, at most `batch_tokens` with padding (a longer one is a batch of its own), in the
// order that `random` gives. Without `random` shortest first.
SequenceBatches plan_batches(std::vector<SequencePlace> places, std::int64_t batch_tokens, std::mt19937_64* random);

// One thread. Holds places only; sequences are read when they are needed.
class Corpus {
 public:
  // Longer ones are left out.
  static constexpr std::int64_t kTokensMax = 1024;

  // Reads every trace once. kMismatch: made with another model. kNotFound, kInvalidModel (damaged, cut off, or nothing
  // to learn from), kIo.
  static Result<Corpus> open(const CorpusOptions& options);

  [[nodiscard]] const trace::TraceHeader& header() const { return readers_.front().header(); }
  [[nodiscard]] const std::vector<SequencePlace>& training() const { return training_; }
  [[nodiscard]] const std::vector<SequencePlace>& held_out() const { return held_out_; }
  [[nodiscard]] std::int64_t left_out() const { return left_out_; }

  Result<std::vector<trace::TracedSequence>> read(const std::vector<SequencePlace>& places);

 private:
  Result<void> add(const std::string& path, const CorpusOptions& options);

  std::vector<trace::TraceReader> readers_;
  std::vector<SequencePlace> training_;
  std::vector<SequencePlace> held_out_;
  std::int64_t left_out_ = 0;
};

}  // namespace sida::predictor
