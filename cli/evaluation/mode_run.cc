#include "cli/evaluation/mode_run.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "cli/parallel_asks.h"
#include "cli/progress.h"
#include "common/runtime/shutdown_signal.h"

namespace sida::cli {
namespace {

using nlohmann::json;

struct Asked {
  std::vector<std::int32_t> tokens;  // Of an answer.
  Loss loss;                         // Of a text.
  json routing;
};

tl::unexpected<Error> unexpected_answer() {
  return fail(ErrorCode::kInternal, "the router's answer is not what was asked for");
}

Result<Asked> ask_answer(const TraceJob& job, const std::string& mode, const Url& url,
                         std::chrono::milliseconds timeout) {
  // What differs from the target within its length is wrong, whatever follows.
  const json body{{"prompt", job.source},     {"max_tokens", job.target.size()}, {"temperature", 0},
                  {"return_token_ids", true}, {"return_routing", true},          {"routing", mode}};
  auto answer = http_ask(url, "/v1/completions", body, timeout);
  if (!answer) return tl::unexpected(std::move(answer).error());
  const json choice =
      answer->is_object() && answer->contains(json::json_pointer("/choices/0")) ? (*answer)["choices"][0] : json();
  if (!choice.is_object() || !choice.contains("token_ids") || !choice.contains("routing")) return unexpected_answer();
  Asked asked{.tokens = {}, .loss = {}, .routing = choice["routing"]};
  for (const auto& token : choice["token_ids"]) {
    if (!token.is_number_integer()) return unexpected_answer();
    asked.tokens.push_back(token.get<std::int32_t>());
  }
  return asked;
}

Result<Asked> ask_text(const TraceJob& job, const std::string& mode, const Url& url,
                       std::chrono::milliseconds timeout) {
  const json body{{"prompt", job.source}, {"target", job.target}, {"return_routing", true}, {"routing", mode}};
  auto answer = http_ask(url, "/v1/score", body, timeout);
  if (!answer) return tl::unexpected(std::move(answer).error());
  if (!answer->is_object() || !answer->contains("logprobs") || !answer->contains("routing")) return unexpected_answer();
  Asked asked{.tokens = {}, .loss = {}, .routing = (*answer)["routing"]};
  for (const auto& logprob : (*answer)["logprobs"]) {
    if (!logprob.is_number()) return unexpected_answer();
    ++asked.loss.tokens;
    asked.loss.sum -= logprob.get<double>();
  }
  return asked;
}

void add_routing(const json& routing, ModeResult& result) {
  const auto count = [&](const char* key) {
    const auto found = routing.find(key);
    return found != routing.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  result.routed += count("routed");
  result.by_table += count("by_table");
  result.late += count("late");
  result.compared += count("compared");
  result.agreed += count("hits");
}

}  // namespace

ModeWork mode_work(const std::vector<TraceJob>& given, const std::vector<std::string>& answer_tasks,
                   std::int64_t per_task_max) {
  std::map<std::string, std::int64_t> taken;
  ModeWork work;
  for (const TraceJob& job : given) {
    if (per_task_max > 0 && ++taken[job.task] > per_task_max) continue;
    const bool answer = std::find(answer_tasks.begin(), answer_tasks.end(), job.task) != answer_tasks.end();
    (answer ? work.answers : work.texts).push_back(job);
  }
  if (work.texts.empty()) work.texts = work.answers;
  return work;
}

double Loss::perplexity() const {
  return tokens == 0 ? 0 : std::exp(sum / static_cast<double>(tokens));
}

AnswerCounts ModeResult::all_answers() const {
  AnswerCounts all;
  for (const auto& [task, counts] : answers) {
    all.sequences += counts.sequences;
    all.right += counts.right;
    all.unchanged += counts.unchanged;
  }
  return all;
}

Loss ModeResult::all_losses() const {
  Loss all;
  for (const auto& [task, loss] : losses) {
    all.tokens += loss.tokens;
    all.sum += loss.sum;
  }
  return all;
}

Result<ModeResult> run_mode(const ModeWork& work, const std::string& mode, const Url& url,
                            const ModeRunOptions& options, const AnswerTokens* exact, AnswerTokens& tokens) {
  ModeResult result;
  result.mode = mode;
  Progress progress("evaluate " + mode);
  const std::size_t count = work.answers.size() + work.texts.size();
  const auto job_at = [&](std::size_t index) -> const TraceJob& {
    return index < work.answers.size() ? work.answers[index] : work.texts[index - work.answers.size()];
  };
  std::uint64_t tokens_done = 0;
  const auto ask = [&](std::size_t index) {
    return (index < work.answers.size() ? ask_answer : ask_text)(job_at(index), mode, url, options.timeout);
  };
  const auto take = [&](std::size_t index, Asked asked) -> Result<void> {
    const TraceJob& job = job_at(index);
    add_routing(asked.routing, result);
    if (index < work.answers.size()) {
      AnswerCounts& counts = result.answers[job.task];
      ++counts.sequences;
      counts.right += asked.tokens == job.target ? 1 : 0;
      counts.unchanged += exact == nullptr || (*exact)[index] == asked.tokens ? 1 : 0;
      tokens.push_back(std::move(asked.tokens));
    } else {
      Loss& loss = result.losses[job.task];
      loss.tokens += asked.loss.tokens;
      loss.sum += asked.loss.sum;
    }
    tokens_done += job.source.size() + job.target.size();
    progress.show({.done = index + 1,
                   .total = count,
                   .tokens = tokens_done,
                   .share = static_cast<double>(index + 1) / static_cast<double>(count)});
    return {};
  };
  std::optional<std::string> signal;
  const auto stop = [&signal] {
    if (!signal) signal = poll_shutdown_signal();
    return signal.has_value();
  };
  SIDA_TRY(ask_in_order<Asked>(count, static_cast<std::size_t>(options.parallel), ask, take, stop));
  if (signal) return fail(ErrorCode::kCancelled, "interrupted by " + *signal + "; nothing was written");
  result.elapsed = progress.elapsed();
  return result;
}

}  // namespace sida::cli
