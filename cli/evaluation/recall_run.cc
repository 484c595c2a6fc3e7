#include "cli/evaluation/recall_run.h"

#include <utility>

#include "common/trace/fit.h"
#include "common/trace/trace_reader.h"

namespace sida::cli {
namespace {

constexpr std::size_t kSequencesTogether = 32;  // As many as a busy predictor batches.

void count_layer(const trace::TracedLayer& layer, std::vector<std::uint64_t>& by_expert, std::uint64_t& dropped) {
  for (const std::int16_t expert : layer.gate) ++by_expert[static_cast<std::size_t>(expert)];
  for (const std::int16_t expert : layer.served) dropped += expert < 0 ? 1 : 0;
}

void count(const trace::TracedSequence& sequence, TraceSummary& summary) {
  ++summary.sequences;
  summary.source_tokens += sequence.source.size();
  summary.target_tokens += sequence.target.size();
  std::size_t layer = 0;
  for (const auto* stack : {&sequence.encoder, &sequence.decoder}) {
    for (const auto& traced : *stack) count_layer(traced, summary.tokens_by_expert[layer++], summary.dropped);
  }
  if (sequence.teacher_forced) {
    summary.given.push_back({sequence.ordinal, sequence.task, sequence.source, sequence.target});
  }
}

void measure(const trace::TraceHeader& header, const std::vector<trace::TracedSequence>& sequences, Subject& subject,
             TaskRecall& recall) {
  const auto named = subject.name_experts(sequences);
  for (std::size_t index = 0; index < sequences.size(); ++index) {
    const auto& sequence = sequences[index];
    recall[sequence.task] += SequenceRecall{recall_of(header, sequence.encoder, named[index].encoder),
                                            recall_of(header, sequence.decoder, named[index].decoder)};
  }
}

}  // namespace

Result<TraceSummary> summarise(const std::filesystem::path& trace) {
  auto reader = trace::TraceReader::open(trace);
  if (!reader) return tl::unexpected(std::move(reader).error());
  TraceSummary summary{.file = trace.filename().string(), .header = reader->header()};
  summary.tokens_by_expert.assign(
      static_cast<std::size_t>(summary.header.encoder_layers + summary.header.decoder_layers),
      std::vector<std::uint64_t>(static_cast<std::size_t>(summary.header.num_experts), 0));
  while (true) {
    const auto sequence = reader->next();
    if (!sequence) return tl::unexpected(sequence.error());
    if (!*sequence) break;
    count(**sequence, summary);
  }
  SIDA_TRY(trace::check_whole(trace.string(), *reader));
  return summary;
}

Result<std::vector<TaskRecall>> measure_recall(const std::filesystem::path& trace,
                                               const std::vector<Subject*>& subjects) {
  auto reader = trace::TraceReader::open(trace);
  if (!reader) return tl::unexpected(std::move(reader).error());
  std::vector<TaskRecall> recall(subjects.size());
  std::vector<trace::TracedSequence> together;
  bool more = true;
  while (more) {
    auto sequence = reader->next();
    if (!sequence) return tl::unexpected(std::move(sequence).error());
    more = sequence->has_value();
    if (more) together.push_back(std::move(**sequence));
    if (together.size() < kSequencesTogether && more) continue;
    for (std::size_t index = 0; index < subjects.size(); ++index) {
      measure(reader->header(), together, *subjects[index], recall[index]);
    }
    together.clear();
  }
  return recall;
}

}  // namespace sida::cli
