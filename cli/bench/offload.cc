// `sida bench offload`: a model in less memory than it needs, policy by policy and budget by budget, in real processes.
#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "cli/bench/bench_verbs.h"
#include "cli/bench/disk_bandwidth.h"
#include "cli/bench/json_file.h"
#include "cli/bench/memory_bandwidth.h"
#include "cli/bench/model_sizes.h"
#include "cli/bench/offload_chart.h"
#include "cli/bench/offload_plan.h"
#include "cli/bench/offload_record.h"
#include "cli/bench/offload_report.h"
#include "cli/bench/offload_texts.h"
#include "cli/bench/offload_visit.h"
#include "cli/progress.h"
#include "cli/run_directory.h"
#include "common/config/configure.h"
#include "common/model/model_directory.h"
#include "expert-worker/worker_config.h"

namespace sida::bench {
namespace {

struct OffloadOptions {
  cli::ClusterOptions cluster;
  TextOptions texts;
  std::string text_kinds = "short,pair,long";
  std::string policies = "resident,demand,fifo,lru,table,oracle";
  std::vector<std::int32_t> budgets{5, 10, 20, 40, 60, 100};
  VisitOptions visit;
  std::int64_t rounds = 3;
  std::uint64_t memory_bytes = std::uint64_t{1} << 30U;
  std::uint64_t disk_bytes = std::uint64_t{256} << 20U;
  std::string json_file;
  std::string svg_file;
};

config::Schema describe(OffloadOptions& o) {
  config::Schema schema(
      "sida bench offload",
      "Serves a model in less memory than its experts take, in real processes: policies and budgets in turn,\n"
      "round after round, encoder and decoder apart, beside what the disk and the memory give. On an idle\n"
      "machine: it takes minutes, (policies x budgets x rounds) starts of a cluster.");
  schema.text("model", o.cluster.model, "model directory or expert store").placeholder("DIR").required();
  schema.text("predictor", o.cluster.predictor, "predictor directory of the policy table; none; auto: the model's own")
      .placeholder("DIR|none");
  schema.text("policies", o.policies, "of resident, demand, fifo, lru, table-alone, table, oracle").placeholder("LIST");
  schema.integers("budgets", o.budgets, "--expert-memory as percent of the experts' bytes");
  schema.text("file", o.texts.file, "texts as sida trace takes them; default: built-in short, pair and long ones")
      .placeholder("F.jsonl|F.txt");
  schema.text("texts", o.text_kinds, "kinds to run: the task of a line, or text").placeholder("LIST");
  schema.text("tokenizer", o.texts.tokenizer, "directory of the tokeniser, for a model without one").placeholder("DIR");
  schema.integer("max-source-tokens", o.texts.source_tokens_max, {2, 4096}, "longer sources are cut");
  schema.integer("requests", o.visit.requests, {1, 100000}, "of each text and phase in a round");
  schema.integer("warm-up", o.visit.warm_up, {0, 100000}, "requests of each text before those that count");
  schema.integer("parallel", o.visit.parallel, {1, 256}, "requests under way at a time");
  schema.integer("max-new-tokens", o.visit.new_tokens, {0, 1024}, "of requests that measure the decoder")
      .zero_means("the encoder alone");
  schema.integer("rounds", o.rounds, {1, 1000}, "of which medians are taken");
  schema.integer("workers", o.cluster.workers, {1, 64}, "expert-worker processes");
  schema.integer("threads", o.cluster.threads, {0, 1024}, "compute threads of the router")
      .zero_means("half of the cores");
  schema.integer("worker-threads", o.cluster.worker_threads, {0, 1024}, "compute threads of each worker")
      .zero_means("half of the cores, shared by the workers");
  schema.choice("dtype", o.cluster.dtype, {"auto", "fp32", "bf16"}, "computing type; auto: the checkpoint's");
  schema.choice("prefetch", o.cluster.prefetch, {"auto", "on", "off"}, "whether predictions are read ahead");
  schema.size("memory", o.memory_bytes, "that one pass for the memory's bandwidth reads");
  schema.size("disk", o.disk_bytes, "that each reader of a pass for the disk's bandwidth reads");
  schema.text("json", o.json_file, "write everything as JSON").placeholder("FILE");
  schema.text("svg", o.svg_file, "draw throughput over budget").placeholder("FILE");
  schema.example("sida bench offload --model models/demo --rounds 1 --json build/offload.json");
  schema.example(
      "sida bench offload --model switch-base-64 --tokenizer models/demo --budgets 25 --policies lru,table --texts "
      "short");
  return schema;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) words.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

void add_rules(config::Schema& schema, OffloadOptions& o) {
  schema.rule([&o](std::vector<std::string>& problems) {
    if (parse_policies(o.policies, problems).empty()) problems.emplace_back("policies must name at least one.");
    if (o.budgets.empty()) problems.emplace_back("budgets must name at least one.");
    if (std::ranges::any_of(o.budgets, [](std::int32_t budget) { return budget < 1 || budget > 100; })) {
      problems.emplace_back("budgets must be from 1 to 100.");
    }
    o.texts.kinds = split(o.text_kinds);
    if (o.texts.kinds.empty()) problems.emplace_back("texts must name at least one kind.");
  });
}

// As a worker without --expert-memory decides.
std::uint64_t memory_for_experts() {
  return worker::available_memory_bytes() / 10 * 8;
}

// Empty: none.
std::string predictor_directory(const cli::ClusterOptions& cluster) {
  if (cluster.predictor != "auto") return cluster.predictor == "none" ? "" : cluster.predictor;
  const auto beside = std::filesystem::path(cluster.model) / "predictor";
  std::error_code ignored;
  return std::filesystem::is_directory(beside, ignored) ? beside.string() : "";
}

// One run of the benchmark, step by step.
class Offload {
 public:
  Offload(const OffloadOptions& options, const model::ModelDirectory& model, DiskBandwidth disk,
          std::vector<TextKind> texts, std::filesystem::path oracle)
      : options_(options),
        model_(model),
        disk_(std::move(disk)),
        texts_(std::move(texts)),
        oracle_(std::move(oracle)) {}

  Result<OffloadRun> run() {
    SIDA_TRY(begin());
    std::vector<std::string> problems;
    auto settings = plan_settings(parse_policies(options_.policies, problems), options_.budgets, run_.model);
    drop_what_does_not_fit(settings);
    cli::Progress progress("bench offload");
    const auto total = static_cast<std::uint64_t>(options_.rounds) * settings.size() * texts_.size() *
                       answers_per_kind(options_.visit);
    const auto tell = [&] {
      ++answers_;
      progress.show(
          {.done = answers_, .total = total, .share = static_cast<double>(answers_) / static_cast<double>(total)});
    };
    for (int round = 0; round < options_.rounds; ++round) {
      SIDA_TRY(measure_limits());
      for (const Setting& setting : in_round(settings, round)) SIDA_TRY(visit_one(setting, round, tell));
    }
    return std::move(run_);
  }

 private:
  Result<void> begin() {
    auto sizes = sizes_of(model_, options_.cluster.dtype, options_.cluster.workers);
    if (!sizes) return tl::unexpected(std::move(sizes).error());
    run_.model = std::move(*sizes);
    run_.read_method = disk_.method();
    run_.workers = options_.cluster.workers;
    run_.parallel = options_.visit.parallel;
    run_.new_tokens = options_.visit.new_tokens;
    run_.rounds = options_.rounds;
    run_.predictor = predictor_directory(options_.cluster);
    return record();
  }

  // Before anything is measured, for the oracle and for what the texts need.
  Result<void> record() {
    std::fprintf(stderr, "recording what the gates decide about the texts\n");
    const auto sources = static_cast<std::size_t>(options_.rounds) * answers_per_kind(options_.visit);
    auto needs = record_routes(
        model_, options_.cluster, texts_,
        {.sources_max = sources, .new_tokens = std::max<std::int64_t>(1, options_.visit.new_tokens)}, oracle_);
    if (!needs) return tl::unexpected(std::move(needs).error());
    run_.needs = std::move(*needs);
    return {};
  }

  // Swapping would measure nothing, and the memory is others' too.
  void drop_what_does_not_fit(std::vector<Setting>& settings) {
    const std::uint64_t available = memory_for_experts();
    const auto dropped = std::erase_if(settings, [&](const Setting& setting) {
      return std::max(setting.bytes, setting.bytes == 0 ? run_.model.experts_bytes() : 0) > available;
    });
    if (dropped > 0) {
      run_.notes.push_back(std::to_string(dropped) + " settings left out: they need more than the " +
                           std::to_string(available >> 20U) + " MiB that this machine has left for experts.");
    }
  }

  Result<void> measure_limits() {
    std::fprintf(stderr, "limits of memory and disk\n");
    Limits limits;
    {
      const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
      MemoryBandwidth memory(options_.memory_bytes, cores);
      for (int pass = 0; pass < 3; ++pass) limits.memory = std::max(limits.memory, memory.pass());
    }
    const auto one = disk_.pass(options_.disk_bytes, 1);
    if (!one) return tl::unexpected(one.error());
    const auto many = disk_.pass(options_.disk_bytes, static_cast<int>(options_.cluster.workers));
    if (!many) return tl::unexpected(many.error());
    limits.disk_one_reader = *one;
    limits.disk = std::max(*one, *many);
    run_.limits.push_back(limits);
    return {};
  }

  Result<void> visit_one(const Setting& setting, int round, const std::function<void()>& tell) {
    std::fprintf(stderr, "round %d of %lld: %s, %.0f %%\n", round + 1, static_cast<long long>(options_.rounds),
                 setting.policy.c_str(), 100 * setting.share);
    auto done =
        visit(setting, round, cluster_of(setting, options_.cluster, oracle_.string()), texts_, options_.visit, tell);
    if (!done) return fail_at(setting.policy, std::move(done).error());
    run_.visits.push_back(std::move(*done));
    return {};
  }

  const OffloadOptions& options_;
  const model::ModelDirectory& model_;
  DiskBandwidth disk_;
  std::vector<TextKind> texts_;
  std::filesystem::path oracle_;  // Predictor directory, made by record().
  OffloadRun run_;
  std::uint64_t answers_ = 0;
};

Result<void> report(const OffloadOptions& o) {
  const auto model = model::ModelDirectory::open(o.cluster.model);
  if (!model) return tl::unexpected(model.error());
  const auto scratch = cli::RunDirectory::make();
  if (!scratch) return tl::unexpected(scratch.error());
  auto texts = read_texts(o.texts, *model, scratch->path());
  if (!texts) return tl::unexpected(std::move(texts).error());
  auto disk = DiskBandwidth::open(*model);
  if (!disk) return tl::unexpected(std::move(disk).error());
  const auto run = Offload(o, *model, std::move(*disk), std::move(*texts), scratch->path() / "oracle").run();
  if (!run) return tl::unexpected(run.error());
  const nlohmann::json json = offload_json(*run);
  SIDA_TRY(write_json_file(o.json_file, json));
  SIDA_TRY(write_text_file(o.svg_file, offload_svg(json)));
  std::fputs(offload_markdown(json).c_str(), stdout);
  return {};
}

}  // namespace

int offload(const Arguments& arguments) {
  OffloadOptions options;
  options.cluster.log_level = "error";
  config::Schema schema = describe(options);
  add_rules(schema, options);
  if (const auto exit_code = config::configure(schema, arguments)) return *exit_code;
  return exit_code_of(report(options));
}

}  // namespace sida::bench
