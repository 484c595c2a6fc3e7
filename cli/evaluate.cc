// `sida evaluate`: how well hash functions name the gate's experts, and what routing by them costs in answers.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "cli/evaluation/evaluation_json.h"
#include "cli/evaluation/report.h"
#include "cli/generate_output.h"
#include "cli/private_cluster.h"
#include "cli/verbs.h"
#include "common/config/configure.h"
#include "common/model/model_directory.h"
#include "common/model/read_only_file.h"
#include "common/runtime/shutdown_signal.h"
#include "common/trace/fit.h"
#include "predictor/hash/recorded_routes.h"

namespace sida::cli {
namespace {

constexpr std::uint64_t kCardBytesMax = 1U << 20U;

struct EvaluateOptions {
  ClusterOptions cluster;
  std::string trace;
  std::string out_of_domain;
  std::vector<std::string> predictors;
  std::string json_file;
  std::string markdown_file;
  std::string html_file;
  bool modes = true;
  bool published_weights = false;
  std::vector<std::string> answer_tasks;
  std::int64_t per_task_max = 0;
  ModeRunOptions run;
};

config::Schema describe(EvaluateOptions& o) {
  config::Schema schema("sida evaluate",
                        "Measures hash functions against a trace that they were not trained on, and then what exact, "
                        "gated and predicted routing give for its sequences.");
  schema.text("trace", o.trace, "held-out trace").placeholder("TRACE").required();
  schema.text("out-of-domain", o.out_of_domain, "a trace of another kind of text").placeholder("TRACE");
  schema
      .texts(
          "predictor", o.predictors,
          "predictor directory to measure; repeatable, the first one routes; default: the model directory's predictor/")
      .placeholder("DIR");
  schema.text("json", o.json_file, "write everything as JSON").placeholder("F.json");
  schema.text("report", o.markdown_file, "write the report as Markdown").placeholder("F.md");
  schema.text("html", o.html_file, "write the report as one page with pictures").placeholder("F.html");
  schema.toggle("modes", o.modes, "also run the sequences with given targets through a cluster");
  schema.toggle("published-weights", o.published_weights, "also measure predicted routing with SiDA's weights");
  schema.texts("answer-task", o.answer_tasks,
               "task whose targets are answers to be right or wrong; repeatable; default: short, pair, long");
  schema.integer("per-task", o.per_task_max, {0, INT64_MAX}, "sequences of each task for the cluster")
      .zero_means("all");
  schema.integer("parallel", o.run.parallel, {1, 256}, "sequences under way at a time");
  schema.duration("timeout", o.run.timeout, "longest wait for one sequence");
  describe_cluster(schema, o.cluster, /*model_required=*/true, /*with_predictor=*/false);
  schema.example(
      "sida evaluate --model models/demo --trace build/held-out.trace --json build/e.json --report build/e.md");
  schema.example(
      "sida evaluate --model models/demo --trace build/held-out.trace --no-modes --predictor models/demo/predictor");
  return schema;
}

// A hash function to measure, and what its directory says of it.
struct Candidate {
  std::string name;
  std::filesystem::path directory;
  std::unique_ptr<predictor::HashFunction> function;
};

// "predictor", or "a/predictor" where two end alike.
std::string name_of(const std::filesystem::path& directory, const std::set<std::string>& taken) {
  auto path = std::filesystem::weakly_canonical(directory);
  std::string name = path.filename().string();
  while (taken.contains(name) && path.has_relative_path()) {
    path = path.parent_path();
    name = (path.filename() / name).string();
  }
  return name;
}

Result<std::vector<Candidate>> open_candidates(const EvaluateOptions& o, const model::ModelDirectory& model) {
  std::vector<std::string> directories = o.predictors;
  if (directories.empty()) {
    const auto beside = model.path() / "predictor";
    std::error_code ignored;
    if (std::filesystem::exists(beside / "predictor.json", ignored)) directories.push_back(beside.string());
  }
  std::vector<Candidate> candidates;
  std::set<std::string> names{"commonest three", "oracle"};
  for (const std::string& directory : directories) {
    auto function = predictor::open_hash_function(directory, predictor::served_model(model));
    if (!function) return tl::unexpected(std::move(function).error());
    candidates.push_back({name_of(directory, names), directory, std::move(*function)});
    names.insert(candidates.back().name);
  }
  return candidates;
}

std::uint64_t bytes_in(const std::filesystem::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".safetensors") bytes += entry.file_size(ignored);
  }
  return bytes;
}

nlohmann::json training_in(const std::filesystem::path& directory) {
  const auto text = model::read_text_file(directory / "predictor.json", kCardBytesMax);
  if (!text) return nullptr;
  const auto card = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return card.is_object() && card.contains("training") ? card["training"] : nlohmann::json();
}

Result<TraceResult> measure(const std::string& path, const model::ModelDirectory& model,
                            std::vector<Candidate>& candidates) {
  auto summary = summarise(path);
  if (!summary) return tl::unexpected(std::move(summary).error());
  SIDA_TRY(trace::check_fits(path, summary->header, predictor::trace_of(predictor::served_model(model))));
  if (summary->sequences == 0) {
    return fail(ErrorCode::kInvalidModel, path + ": the trace has no sequences; record one with 'sida trace'");
  }
  const trace::TraceHeader header = summary->header;
  TraceResult result{.summary = std::move(*summary), .subjects = {}};
  std::vector<std::unique_ptr<Subject>> subjects;
  for (Candidate& candidate : candidates) {
    subjects.push_back(make_hash_subject(*candidate.function, header));
    result.subjects.push_back({.name = candidate.name,
                               .kind = candidate.function->info().kind,
                               .bytes = bytes_in(candidate.directory),
                               .training = training_in(candidate.directory)});
  }
  subjects.push_back(make_commonest_subject(result.summary.tokens_by_expert, header));
  result.subjects.push_back({.name = "commonest three", .kind = "commonest"});
  subjects.push_back(make_oracle_subject(header));
  result.subjects.push_back({.name = "oracle", .kind = "oracle"});
  std::vector<Subject*> borrowed;
  for (const auto& subject : subjects) borrowed.push_back(subject.get());
  auto recall = measure_recall(path, borrowed);
  if (!recall) return tl::unexpected(std::move(recall).error());
  for (std::size_t index = 0; index < subjects.size(); ++index) {
    result.subjects[index].recall = std::move((*recall)[index]);
    result.subjects[index].cost = subjects[index]->cost();
  }
  return result;
}

// One cluster, several modes. The exact answers are kept for comparison.
Result<void> run_modes(const EvaluateOptions& o, const ModeWork& work, const std::vector<std::string>& modes,
                       AnswerTokens& exact, std::vector<ModeResult>& results) {
  auto cluster = PrivateCluster::start(o.cluster);
  if (!cluster) return tl::unexpected(std::move(cluster).error());
  for (const std::string& mode : modes) {
    AnswerTokens tokens;
    auto result = run_mode(work, mode, (*cluster)->url(), o.run, mode == "exact" ? nullptr : &exact, tokens);
    if (!result) return tl::unexpected(std::move(result).error());
    if (mode == "exact") {
      exact = std::move(tokens);
    } else {
      result->weights = o.cluster.predicted_weights;
    }
    results.push_back(std::move(*result));
  }
  return {};
}

Result<std::vector<ModeResult>> measure_modes(const EvaluateOptions& options, const ModeWork& work) {
  std::vector<ModeResult> results;
  AnswerTokens exact;
  SIDA_TRY(run_modes(options, work, {"exact", "gated", "predicted"}, exact, results));
  if (options.published_weights) {
    EvaluateOptions published = options;
    published.cluster.predicted_weights = "published";
    SIDA_TRY(run_modes(published, work, {"predicted"}, exact, results));
  }
  return results;
}

std::vector<std::string> layer_names(const model::ModelGeometry& geometry) {
  std::vector<std::string> names;
  for (std::int32_t layer = 0; layer < geometry.moe_layers(); ++layer) {
    const auto at = model::position(geometry, LayerId{layer});
    names.push_back((at.stack == model::Stack::kEncoder ? "encoder." : "decoder.") + std::to_string(at.block));
  }
  return names;
}

Result<void> write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return fail(ErrorCode::kIo, path + ": cannot be written");
  return {};
}

Result<void> write_reports(const EvaluateOptions& o, const nlohmann::json& json) {
  const std::string markdown = markdown_report(json);
  std::fputs(markdown.c_str(), stdout);  // First: whatever becomes of the files.
  SIDA_TRY(write_file(o.json_file, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"));
  SIDA_TRY(write_file(o.markdown_file, markdown));
  SIDA_TRY(write_file(o.html_file, html_report(json)));
  return {};
}

Result<void> run(EvaluateOptions& options) {
  auto model = model::ModelDirectory::open(options.cluster.model);
  if (!model) return tl::unexpected(std::move(model).error());
  auto candidates = open_candidates(options, *model);
  if (!candidates) return tl::unexpected(std::move(candidates).error());
  auto held_out = measure(options.trace, *model, *candidates);
  if (!held_out) return tl::unexpected(std::move(held_out).error());
  Evaluation evaluation{.held_out = std::move(*held_out), .layer_names = layer_names(model->geometry())};
  if (!options.out_of_domain.empty()) {
    auto other = measure(options.out_of_domain, *model, *candidates);
    if (!other) return tl::unexpected(std::move(other).error());
    evaluation.out_of_domain = std::move(*other);
  }
  if (options.modes && !candidates->empty()) {
    options.cluster.predictor = candidates->front().directory.string();
    const auto work = mode_work(evaluation.held_out.summary.given, options.answer_tasks, options.per_task_max);
    auto modes = measure_modes(options, work);
    if (!modes) return tl::unexpected(std::move(modes).error());
    evaluation.modes = std::move(*modes);
  }
  return write_reports(options, evaluation_json(evaluation, evaluation.held_out.subjects.front().name));
}

}  // namespace

int evaluate(const Arguments& arguments) {
  EvaluateOptions options;
  options.cluster.log_level = "error";
  options.cluster.table_wait = std::chrono::seconds(10);  // What a mode is worth, not how busy the machine is.
  config::Schema schema = describe(options);
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  if (options.answer_tasks.empty()) options.answer_tasks = {"short", "pair", "long"};
  block_shutdown_signals();
  auto done = run(options);
  if (done) return 0;
  // A file that is missing is as little of use as one that is damaged.
  if (done.error().code == ErrorCode::kNotFound) done.error().code = ErrorCode::kInvalidModel;
  return report(done.error());
}

}  // namespace sida::cli
