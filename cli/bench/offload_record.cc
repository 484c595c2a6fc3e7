#include "cli/bench/offload_record.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <utility>

#include "cli/private_cluster.h"
#include "cli/trace_header.h"
#include "cli/trace_run.h"
#include "common/trace/trace_reader.h"
#include "common/trace/trace_writer.h"
#include "predictor/hash/predictor_directory.h"

namespace sida::bench {
namespace {

using nlohmann::json;

constexpr std::chrono::minutes kAnswerPatience{10};

// The jobs of a trace: each source with what the model writes to it, exactly as many tokens as the passes ask for.
Result<std::vector<cli::TraceJob>> write_targets(const cli::Url& url, const std::vector<TextKind>& texts,
                                                 const RecordOptions& options) {
  std::vector<cli::TraceJob> jobs;
  for (const TextKind& kind : texts) {
    for (std::size_t index = 0; index < std::min(options.sources_max, kind.sources.size()); ++index) {
      const json body{{"prompt", kind.sources[index]},
                      {"max_tokens", options.new_tokens},
                      {"min_tokens", options.new_tokens},
                      {"temperature", 0},
                      {"return_token_ids", true}};
      const auto answer = cli::http_ask(url, "/v1/completions", body, kAnswerPatience);
      if (!answer) return tl::unexpected(answer.error());
      cli::TraceJob job{.ordinal = jobs.size(), .task = kind.name, .source = kind.sources[index], .target = {}};
      if (!answer->is_object()) return fail(ErrorCode::kInternal, "the router's answer is no object");
      for (const json& token : answer->value(json::json_pointer("/choices/0/token_ids"), json::array())) {
        if (token.is_number_integer()) job.target.push_back(token.get<std::int32_t>());
      }
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

Result<std::vector<Needs>> needs_in(const std::filesystem::path& trace, const std::vector<TextKind>& texts) {
  std::vector<Needs> all;
  for (const TextKind& kind : texts) all.push_back({.text = kind.name, .tokens = {}, .encoder_experts = {}});
  auto reader = trace::TraceReader::open(trace);
  if (!reader) return tl::unexpected(std::move(reader).error());
  while (true) {
    const auto sequence = reader->next();
    if (!sequence) return tl::unexpected(sequence.error());
    if (!*sequence) return all;
    const auto found = std::ranges::find(all, (*sequence)->task, &Needs::text);
    if (found == all.end()) continue;
    found->tokens.push_back(static_cast<double>((*sequence)->source.size()));
    found->encoder_experts.push_back(static_cast<double>(encoder_experts(**sequence)));
  }
}

Result<void> write_card(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "predictor.json";
  std::ofstream file(path, std::ios::binary);
  file << json{{"kind", predictor::kRecordedKind}, {"k", 1}}.dump();
  file.close();
  if (!file) return fail(ErrorCode::kIo, path.string() + ": cannot be written");
  return {};
}

}  // namespace

std::size_t encoder_experts(const trace::TracedSequence& sequence) {
  std::set<std::pair<std::size_t, std::int16_t>> experts;
  for (std::size_t layer = 0; layer < sequence.encoder.size(); ++layer) {
    for (const std::int16_t expert : sequence.encoder[layer].served) {
      if (expert >= 0) experts.insert({layer, expert});
    }
  }
  return experts.size();
}

Result<std::vector<Needs>> record_routes(const model::ModelDirectory& model, cli::ClusterOptions cluster,
                                         const std::vector<TextKind>& texts, const RecordOptions& options,
                                         const std::filesystem::path& directory) {
  cluster.predictor = "none";
  const auto header = cli::trace_header_of(model);
  if (!header) return tl::unexpected(header.error());
  std::error_code ignored;
  std::filesystem::create_directories(directory, ignored);
  const std::filesystem::path trace = directory / "routes.trace";
  auto writer = trace::TraceWriter::create(trace, *header);
  if (!writer) return tl::unexpected(std::move(writer).error());
  const auto started = cli::PrivateCluster::start(cluster);
  if (!started) return tl::unexpected(started.error());
  const auto jobs = write_targets((*started)->url(), texts, options);
  if (!jobs) return tl::unexpected(jobs.error());
  const auto done = cli::run_trace(*jobs, (*started)->url(), *header, {.parallel = 4}, *writer);
  if (!done) return tl::unexpected(done.error());
  if (done->interrupted) return fail(ErrorCode::kCancelled, "interrupted by " + *done->interrupted);
  SIDA_TRY(writer->finish());
  SIDA_TRY(write_card(directory));
  return needs_in(trace, texts);
}

}  // namespace sida::bench
