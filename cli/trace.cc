// `sida trace`: runs a model in exact mode over texts and records what its gates decided.
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/private_cluster.h"
#include "cli/trace_header.h"
#include "cli/trace_run.h"
#include "cli/verbs.h"
#include "common/config/configure.h"
#include "common/model/model_directory.h"
#include "common/runtime/shutdown_signal.h"
#include "common/trace/trace_writer.h"

namespace sida::cli {
namespace {

struct TraceOptions {
  ClusterOptions cluster;
  std::string file;
  std::string out;
  TraceInputOptions input;
  bool span_corruption = false;
  SpanCorruption spans;
  std::int64_t seed = 0;
  TraceRunOptions run;
};

config::Schema describe(TraceOptions& o) {
  config::Schema schema("sida trace",
                        "Runs a model in exact mode over texts and records what its gates decided about each token. "
                        "Run again with the same arguments, it goes on where it stopped.");
  schema
      .text(
          "file", o.file,
          "JSON lines of prompt or text, optional target and task (or input_ids and target_ids); or one text per line")
      .placeholder("F.jsonl|F.txt")
      .required();
  schema.text("out", o.out, "trace file; an existing one is continued").placeholder("TRACE").required();
  schema.text("task", o.input.task, "task of lines that name none").placeholder("NAME");
  schema.toggle("span-corruption", o.span_corruption, "of lines without target: hide spans of them as T5 does");
  schema.number("noise-density", o.spans.noise_density, 0.01, 0.9, "share of tokens that span corruption hides");
  schema.number("mean-span", o.spans.mean_span_tokens, 1, 100, "mean tokens of a hidden span");
  schema.integer("seed", o.seed, {0, INT64_MAX}, "of span corruption");
  schema.integer("max-new-tokens", o.run.new_tokens_max, {1, 1024}, "most tokens to generate where there is no target");
  schema.integer("max-source-tokens", o.input.source_tokens_max, {2, 4096}, "longer sources are cut");
  schema.integer("max-target-tokens", o.input.target_tokens_max, {1, 1024}, "longer targets are cut");
  schema.integer("lines", o.input.lines_max, {0, INT64_MAX}, "how many lines of the file to take").zero_means("all");
  schema.integer("parallel", o.run.parallel, {1, 256}, "sequences under way at a time");
  schema.duration("timeout", o.run.timeout, "longest wait for one sequence");
  describe_cluster(schema, o.cluster, /*model_required=*/true);
  schema.rule([&o](std::vector<std::string>& problems) {
    if (o.cluster.routing != "exact") problems.emplace_back("a trace is of the gates: --routing must be exact");
  });
  schema.example("sida trace --model models/demo --file texts.jsonl --out build/demo.trace");
  schema.example("sida trace --model models/demo --file texts.txt --span-corruption --out build/spans.trace");
  return schema;
}

Result<TraceInput> input_of(const TraceOptions& o, const model::ModelDirectory& model) {
  auto tokenizer = tokenizer::load_tokenizer(model.path());
  if (!tokenizer && tokenizer.error().code != ErrorCode::kNotFound) return tl::unexpected(tokenizer.error());
  TraceInputOptions options = o.input;
  if (o.span_corruption) {
    options.span_corruption = o.spans;
    options.span_corruption->seed = static_cast<std::uint64_t>(o.seed);
  }
  const auto& ends = model.config().eos_token_ids;
  return read_trace_input(o.file, tokenizer ? tokenizer->get() : nullptr, ends.empty() ? 1 : ends.front(), options);
}

void print_input(const TraceInput& input, std::size_t to_do) {
  std::printf("%zu sequences", input.jobs.size());
  if (input.jobs.size() > to_do) std::printf(", %zu of them recorded before", input.jobs.size() - to_do);
  if (input.shortened > 0) std::printf(", %llu cut short", static_cast<unsigned long long>(input.shortened));
  if (input.skipped > 0) std::printf(", %llu lines skipped", static_cast<unsigned long long>(input.skipped));
  std::printf("\n");
  std::fflush(stdout);
}

void print_done(const TraceOptions& o, const TraceTotals& totals, std::size_t to_do, std::uint64_t bytes) {
  const double seconds = totals.elapsed.count();
  std::printf("%s: %llu sequences, %llu tokens recorded in %s (%.0f tokens/s), %llu bytes in all\n", o.out.c_str(),
              static_cast<unsigned long long>(totals.sequences), static_cast<unsigned long long>(totals.tokens),
              short_duration(totals.elapsed).c_str(), seconds > 0 ? static_cast<double>(totals.tokens) / seconds : 0.0,
              static_cast<unsigned long long>(bytes));
  if (totals.interrupted) {
    std::printf("interrupted by %s: %llu sequences are left; the same command goes on\n", totals.interrupted->c_str(),
                static_cast<unsigned long long>(to_do - totals.sequences));
  }
}

Result<bool> run(const TraceOptions& options) {
  auto model = model::ModelDirectory::open(options.cluster.model);
  if (!model) return tl::unexpected(std::move(model).error());
  const auto header = trace_header_of(*model);
  if (!header) return tl::unexpected(header.error());
  auto input = input_of(options, *model);
  if (!input) return tl::unexpected(std::move(input).error());
  std::error_code ignored;
  auto writer = std::filesystem::exists(options.out, ignored) ? trace::TraceWriter::resume(options.out, *header)
                                                              : trace::TraceWriter::create(options.out, *header);
  if (!writer) return tl::unexpected(std::move(writer).error());
  const auto left = jobs_left(input->jobs, writer->recorded());
  if (!left) return fail_at(options.out, left.error());
  print_input(*input, left->size());
  if (left->empty()) return true;

  auto cluster = PrivateCluster::start(options.cluster);
  if (!cluster) return tl::unexpected(std::move(cluster).error());
  const auto totals = run_trace(*left, (*cluster)->url(), *header, options.run, *writer);
  if (!totals) return tl::unexpected(totals.error());
  SIDA_TRY(writer->finish());
  print_done(options, *totals, left->size(), writer->bytes());
  return !totals->interrupted;
}

}  // namespace

int trace(const Arguments& arguments) {
  TraceOptions options;
  options.cluster.log_level = "error";
  options.cluster.predictor = "none";
  config::Schema schema = describe(options);
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  block_shutdown_signals();
  const auto done = run(options);
  if (!done) return report(done.error());
  return *done ? 0 : 1;
}

}  // namespace sida::cli
