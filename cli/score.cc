// `sida score`: teacher-forced log-probabilities and perplexity.
#include <cmath>
#include <cstdio>

#include "cli/generate_output.h"
#include "cli/private_cluster.h"
#include "cli/score_input.h"
#include "cli/verbs.h"
#include "common/config/configure.h"

namespace sida::cli {
namespace {

struct ScoreOptions {
  ClusterOptions cluster;
  RunningCluster running;
  std::string prompt;
  std::string target;
  std::vector<std::int32_t> input_ids;
  std::vector<std::int32_t> target_ids;
  std::string file;
  bool json = false;
  std::chrono::milliseconds timeout{600'000};
};

config::Schema describe(ScoreOptions& o) {
  config::Schema schema("sida score", "Log-probability of each token of a target, given a prompt, and the perplexity.");
  const config::Option& prompt = schema.text("prompt", o.prompt, "text that the encoder reads; it may be empty");
  const config::Option& target = schema.text("target", o.target, "text that is scored; it may be empty");
  schema.integers("input-ids", o.input_ids, "token ids instead of --prompt, with the end token");
  schema.integers("target-ids", o.target_ids, "token ids instead of --target, with the end token");
  schema.text("file", o.file, "JSON lines of prompt or input_ids, and target or target_ids").placeholder("F.jsonl");
  schema.toggle("json", o.json, "print one JSON object");
  schema.duration("timeout", o.timeout, "longest wait for one answer");
  describe_target(schema, o.running, o.cluster);
  schema.rule([&o, &prompt, &target](std::vector<std::string>& problems) {
    const bool has_prompt = prompt.source() != config::Source::kDefault;
    const bool has_target = target.source() != config::Source::kDefault;
    const bool pair = has_prompt == o.input_ids.empty() && has_target == o.target_ids.empty();
    const bool any = has_prompt || has_target || !o.input_ids.empty() || !o.target_ids.empty();
    if (o.file.empty() ? !pair : any) {
      problems.emplace_back(
          "give one of --prompt and --input-ids and one of --target and --target-ids, or --file alone");
    }
  });
  schema.example("sida score --model models/demo --input-ids 5,6,1 --target-ids 7,8,1 --json");
  schema.example("sida score --url http://127.0.0.1:8000 --file pairs.jsonl");
  return schema;
}

Result<std::vector<nlohmann::json>> bodies_of(const ScoreOptions& o) {
  if (!o.file.empty()) {
    return read_score_file(o.file);
  }
  nlohmann::json body;
  body["prompt"] = o.input_ids.empty() ? nlohmann::json(o.prompt) : nlohmann::json(o.input_ids);
  body["target"] = o.target_ids.empty() ? nlohmann::json(o.target) : nlohmann::json(o.target_ids);
  return std::vector{std::move(body)};
}

// How experts were chosen, without the list of them.
nlohmann::json routing_of(const nlohmann::json& answer) {
  nlohmann::json routing = answer.value("routing", nlohmann::json::object());
  if (routing.is_object()) {
    routing.erase("experts");
  }
  return routing;
}

// One pair: its own keys. Several: `results`, and `logprobs` of all in their order.
nlohmann::json output_of(const std::vector<nlohmann::json>& answers) {
  auto logprobs = nlohmann::json::array();
  auto results = nlohmann::json::array();
  double sum = 0;
  for (const auto& answer : answers) {
    results.push_back({{"logprobs", answer["logprobs"]},
                       {"token_ids", answer["token_ids"]},
                       {"perplexity", answer["perplexity"]},
                       {"routing", routing_of(answer)}});
    for (const auto& logprob : answer["logprobs"]) {
      logprobs.push_back(logprob);
      sum += logprob.is_number() ? logprob.get<double>() : 0;
    }
  }
  const double count = static_cast<double>(std::max<std::size_t>(1, logprobs.size()));
  nlohmann::json output{{"logprobs", logprobs}, {"perplexity", std::exp(-sum / count)}, {"tokens", logprobs.size()}};
  if (answers.size() > 1) {
    output["results"] = std::move(results);
  } else {
    output["token_ids"] = answers.front()["token_ids"];
    output["routing"] = results.front()["routing"];
  }
  return output;
}

void print_text(const nlohmann::json& output) {
  if (output.contains("token_ids")) {
    for (std::size_t i = 0; i < output["logprobs"].size(); ++i) {
      std::printf("%8s  %10.5f\n", output["token_ids"][i].dump().c_str(), output["logprobs"][i].get<double>());
    }
  } else {
    for (const auto& result : output["results"]) {
      std::printf("%zu tokens, perplexity %.4f\n", result["logprobs"].size(), result["perplexity"].get<double>());
    }
  }
  std::printf("perplexity %.4f over %zu tokens\n", output["perplexity"].get<double>(), output["logprobs"].size());
}

Result<void> run(const ScoreOptions& options) {
  auto bodies = bodies_of(options);
  if (!bodies) {
    return tl::unexpected<Error>(std::move(bodies).error());
  }
  auto target = Target::open(options.running, options.cluster);
  if (!target) {
    return tl::unexpected<Error>(std::move(target).error());
  }
  std::vector<nlohmann::json> answers;
  for (auto& body : *bodies) {
    body["routing"] = options.cluster.routing;
    body["return_routing"] = true;
    auto answer = http_ask(target->url(), "/v1/score", body, options.timeout);
    if (!answer) {
      return tl::unexpected<Error>(std::move(answer).error());
    }
    for (const char* key : {"logprobs", "token_ids", "perplexity"}) {
      if (!answer->is_object() || !answer->contains(key)) {
        return fail(ErrorCode::kInternal, std::string("the router's answer has no ") + key);
      }
    }
    answers.push_back(*std::move(answer));
  }
  const auto output = output_of(answers);
  if (options.json) {
    std::printf("%s\n", print_json(output).c_str());
  } else {
    print_text(output);
  }
  return {};
}

}  // namespace

int score(const Arguments& arguments) {
  ScoreOptions options;
  options.cluster.log_level = "error";
  config::Schema schema = describe(options);
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  const auto done = run(options);
  return done ? 0 : report(done.error());
}

}  // namespace sida::cli
