// `sida bench serve`: load on a server, open or closed loop.
#include <cstdio>
#include <fstream>
#include <limits>

#include "cli/bench/bench_verbs.h"
#include "cli/bench/json_file.h"
#include "cli/load/arrivals.h"
#include "cli/load/load_client.h"
#include "cli/load/load_report.h"
#include "cli/load/prompts.h"
#include "cli/private_cluster.h"
#include "common/config/configure.h"
#include "common/config/quantity.h"

namespace sida::bench {
namespace {

struct ServeOptions {
  cli::ClusterOptions cluster;
  cli::RunningCluster running;
  std::string prompts;
  std::int64_t num_prompts = 100;
  std::int64_t input_len = 16;
  std::int64_t vocabulary = 100;
  std::int64_t max_tokens = 16;
  bool ignore_eos = false;
  double temperature = 0;
  std::vector<std::string> rates;
  std::int64_t concurrency = 0;
  std::int64_t warmup = 4;
  std::string goodput;
  std::int64_t seed = 0;
  std::chrono::milliseconds timeout{600'000};
  std::string requests_file;
  std::string json_file;
};

Result<double> parse_rate(const std::string& text) {
  if (text == "inf") return std::numeric_limits<double>::infinity();
  auto rate = config::parse_number(text);
  if (!rate || *rate <= 0) {
    return fail(ErrorCode::kInvalidArgument, "--request-rate '" + text + "' is no rate: write 2.5 or inf");
  }
  return rate;
}

config::Schema describe(ServeOptions& o) {
  config::Schema schema(
      "sida bench serve",
      "Puts load on a server and tells how it answers: an open loop with --request-rate (a Poisson process; several\n"
      "rates are run one after another), else a closed loop of --concurrency clients. Latencies count from when a\n"
      "request was meant to be sent. Streams, over a new connection each.");
  schema.text("prompts", o.prompts, "a prompt a line: text, or JSON with prompt and other fields of a completion")
      .placeholder("FILE");
  schema.integer("num-prompts", o.num_prompts, {1, 10'000'000}, "requests, per rate");
  schema.integer("input-len", o.input_len, {1, 65536}, "random ids of a prompt, where there is no file");
  schema.integer("vocabulary", o.vocabulary, {4, 10'000'000}, "the random ids are below this");
  schema.integer("max-tokens", o.max_tokens, {1, 65536}, "most tokens of an answer");
  schema.toggle("ignore-eos", o.ignore_eos, "answers of exactly that length");
  schema.number("temperature", o.temperature, 0, 2, "0: greedy");
  schema.texts("request-rate", o.rates, "requests a second, or inf: all at once; repeatable").placeholder("X");
  schema.integer("concurrency", o.concurrency, {0, 100'000}, "requests under way at most")
      .zero_means("one in a closed loop, no limit in an open one");
  schema.integer("warmup", o.warmup, {0, 10'000}, "requests before, one by one, which do not count");
  schema.text("goodput", o.goodput, "what a good request meets, in ms: ttft:200,tpot:50,e2el:2000")
      .placeholder("OBJECTIVE");
  schema.integer("seed", o.seed, {0, INT64_MAX}, "of arrivals and random prompts");
  schema.duration("timeout", o.timeout, "longest wait for one answer");
  schema.text("requests", o.requests_file, "write a line of JSON per request").placeholder("FILE");
  schema.text("json", o.json_file, "write all figures as JSON, named as vllm bench serve names them")
      .placeholder("FILE");
  cli::describe_target(schema, o.running, o.cluster);
  schema.rule([&o](std::vector<std::string>& problems) {
    for (const std::string& rate : o.rates) {
      if (const auto good = parse_rate(rate); !good) problems.push_back(good.error().message);
    }
    if (const auto good = load::parse_objective(o.goodput); !good) problems.push_back(good.error().message);
  });
  schema.example("sida bench serve --url http://127.0.0.1:8000 --request-rate 5 --request-rate 10 --goodput e2el:2000");
  schema.example("sida bench serve --model models/demo --concurrency 32 --num-prompts 500 --json build/serve.json");
  return schema;
}

Result<std::vector<nlohmann::json>> prompts_of(const ServeOptions& o) {
  const nlohmann::json defaults{
      {"max_tokens", o.max_tokens}, {"ignore_eos", o.ignore_eos}, {"temperature", o.temperature}};
  if (!o.prompts.empty()) return load::read_prompts(o.prompts, defaults);
  return load::random_prompts(static_cast<std::size_t>(o.num_prompts), o.input_len, o.vocabulary,
                              static_cast<std::uint64_t>(o.seed), defaults);
}

// One rate, or a closed loop (0).
Result<nlohmann::json> run(const ServeOptions& o, load::LoadPlan plan, double rate, std::ofstream& lines) {
  const auto count = static_cast<std::size_t>(o.num_prompts);
  plan.requests = count;
  if (rate > 0) plan.intended = load::poisson_arrivals(rate, count, static_cast<std::uint64_t>(o.seed));
  const auto records = load::run_load(plan);
  for (std::size_t index = 0; lines.is_open() && index < records.size(); ++index) {
    lines << load::record_json(index, records[index]).dump() << '\n';
  }
  if (lines.is_open() && !lines) return fail(ErrorCode::kIo, o.requests_file + " cannot be written");
  return load::load_json({rate, plan.concurrency, *load::parse_objective(o.goodput)}, records);
}

// One rate: vLLM's object itself; several: `points`, one of them each.
nlohmann::json all_of(const std::vector<nlohmann::json>& loads) {
  return loads.size() == 1 ? loads.front() : nlohmann::json{{"points", loads}};
}

Result<void> report(const ServeOptions& o) {
  auto bodies = prompts_of(o);
  if (!bodies) return tl::unexpected(std::move(bodies).error());
  auto target = cli::Target::open(o.running, o.cluster);
  if (!target) return tl::unexpected(std::move(target).error());
  load::LoadPlan plan{.url = target->url(), .bodies = *std::move(bodies), .timeout = o.timeout};
  plan.concurrency = static_cast<std::size_t>(o.rates.empty() && o.concurrency == 0 ? 1 : o.concurrency);
  if (o.warmup > 0) {
    load::LoadPlan warmup = plan;
    warmup.requests = static_cast<std::size_t>(o.warmup);
    warmup.concurrency = 1;
    const auto first = load::run_load(warmup).front();
    if (first.status == 0 || first.status == 401) return fail(ErrorCode::kUnavailable, "the server: " + first.error);
  }
  std::ofstream lines;
  if (!o.requests_file.empty()) lines.open(o.requests_file);
  if (!lines) return fail(ErrorCode::kIo, o.requests_file + " cannot be written");
  std::vector<nlohmann::json> loads;
  for (const std::string& text : o.rates.empty() ? std::vector<std::string>{""} : o.rates) {
    std::fprintf(stderr, "%s\n", text.empty() ? "closed loop" : (text + " requests a second").c_str());
    auto load = run(o, plan, text.empty() ? 0 : *parse_rate(text), lines);
    if (!load) return tl::unexpected(std::move(load).error());
    loads.push_back(*std::move(load));
  }
  SIDA_TRY(write_json_file(o.json_file, all_of(loads)));
  std::fputs(load::load_text(loads).c_str(), stdout);
  return {};
}

}  // namespace

int serve(const Arguments& arguments) {
  ServeOptions options;
  options.cluster.log_level = "error";
  config::Schema schema = describe(options);
  if (const auto exit_code = config::configure(schema, arguments)) return *exit_code;
  return exit_code_of(report(options));
}

}  // namespace sida::bench
