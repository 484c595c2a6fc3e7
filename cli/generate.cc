// `sida generate`: one prompt, in a cluster of its own or in a running one.
#include <cstdio>

#include "cli/generate_output.h"
#include "cli/private_cluster.h"
#include "cli/verbs.h"
#include "common/config/configure.h"

namespace sida::cli {
namespace {

struct GenerateOptions {
  ClusterOptions cluster;
  RunningCluster running;
  std::string prompt;
  std::vector<std::int32_t> input_ids;
  std::int64_t max_new_tokens = 32;
  std::int64_t min_new_tokens = 0;
  double temperature = 0;
  std::int64_t top_k = 0;
  double top_p = 1;
  double repetition_penalty = 1;
  std::int64_t seed = 0;
  std::int64_t num_beams = 1;
  double length_penalty = 1;
  std::string early_stopping = "false";
  std::vector<std::string> stop;
  bool show_experts = false;
  bool json = false;
  std::chrono::milliseconds timeout{600'000};
};

config::Schema describe(GenerateOptions& o) {
  config::Schema schema("sida generate",
                        "Answers one prompt, in a cluster started for it or, with --url, in a running one.");
  const config::Option& prompt = schema.text("prompt", o.prompt, "text to answer; it may be empty");
  schema.integers("input-ids", o.input_ids, "token ids instead of text, with the end token");
  schema.integer("max-new-tokens", o.max_new_tokens, {1, 65536}, "most tokens to generate");
  schema.integer("min-new-tokens", o.min_new_tokens, {0, 65536}, "no end token before so many");
  schema.number("temperature", o.temperature, 0, 2, "0: greedy");
  schema.integer("top-k", o.top_k, {0, 1'000'000}, "sample among the k best").zero_means("off");
  schema.number("top-p", o.top_p, 1e-6, 1, "sample among the best that make up this probability");
  schema.number("repetition-penalty", o.repetition_penalty, 0.01, 100, "above 1: repeats less");
  schema.integer("seed", o.seed, {0, INT64_MAX}, "of sampling");
  schema.integer("num-beams", o.num_beams, {1, 64}, "beam search with so many beams; 1: none");
  schema.number("length-penalty", o.length_penalty, -10, 10, "of a beam search: above 0 favours long answers");
  schema.choice("early-stopping", o.early_stopping, {"false", "true", "never"},
                "when a beam search ends, as Hugging Face's early_stopping");
  schema.texts("stop", o.stop, "text that ends the answer; repeatable, up to four");
  schema.toggle("show-experts", o.show_experts, "tell which experts and workers served the tokens");
  schema.toggle("json", o.json, "print one JSON object");
  schema.duration("timeout", o.timeout, "longest wait for the answer");
  describe_target(schema, o.running, o.cluster);
  schema.rule([&o, &prompt](std::vector<std::string>& problems) {
    if ((prompt.source() == config::Source::kDefault) == o.input_ids.empty()) {
      problems.emplace_back("give either --prompt TEXT or --input-ids 1,2,3");
    }
    if (o.min_new_tokens > o.max_new_tokens) {
      problems.emplace_back("--min-new-tokens must not be above --max-new-tokens");
    }
    if (o.num_beams == 1 && (o.length_penalty != 1 || o.early_stopping != "false")) {
      problems.emplace_back("--length-penalty and --early-stopping need --num-beams of 2 or more");
    }
    if (o.num_beams > 1 && (o.temperature != 0 || !o.stop.empty())) {
      problems.emplace_back("--num-beams goes with neither --temperature nor --stop");
    }
  });
  schema.example("sida generate --model models/demo --prompt 'a large ship' --show-experts");
  schema.example("sida generate --url http://127.0.0.1:8000 --prompt 'a large ship' --json");
  return schema;
}

nlohmann::json request_body(const GenerateOptions& o) {
  nlohmann::json body{{"max_tokens", o.max_new_tokens},
                      {"min_tokens", o.min_new_tokens},
                      {"temperature", o.temperature},
                      {"top_k", o.top_k},
                      {"top_p", o.top_p},
                      {"repetition_penalty", o.repetition_penalty},
                      {"seed", o.seed},
                      {"routing", o.cluster.routing},
                      {"return_token_ids", true},
                      {"return_routing", true}};
  if (!o.stop.empty()) {
    body["stop"] = o.stop;
  }
  if (o.num_beams > 1) {
    body["use_beam_search"] = true;
    body["best_of"] = o.num_beams;
    body["length_penalty"] = o.length_penalty;
    body["early_stopping"] =
        o.early_stopping == "never" ? nlohmann::json("never") : nlohmann::json(o.early_stopping == "true");
  }
  if (o.input_ids.empty()) {
    body["prompt"] = o.prompt;
  } else {
    body["prompt"] = o.input_ids;
  }
  return body;
}

Result<void> run(const GenerateOptions& options) {
  auto target = Target::open(options.running, options.cluster);
  if (!target) {
    return tl::unexpected<Error>(std::move(target).error());
  }
  auto answer = http_ask(target->url(), "/v1/completions", request_body(options), options.timeout);
  if (!answer) {
    return tl::unexpected<Error>(std::move(answer).error());
  }
  auto output = generate_output(*answer, options.show_experts);
  if (!output) {
    return tl::unexpected<Error>(std::move(output).error());
  }
  std::fputs(options.json ? (print_json(*output) + "\n").c_str() : generate_text(*output).c_str(), stdout);
  return {};
}

}  // namespace

int generate(const Arguments& arguments) {
  GenerateOptions options;
  options.cluster.log_level = "error";
  config::Schema schema = describe(options);
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  const auto done = run(options);
  return done ? 0 : report(done.error());
}

}  // namespace sida::cli
