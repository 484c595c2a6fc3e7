#include "router/http/completions_request.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "router/http/json_fields.h"
#include "router/http/routing_field.h"

namespace sida::router {
namespace {

using Prompts = std::vector<std::vector<std::int32_t>>;

constexpr std::size_t kStopStringsMax = 4;  // As OpenAI's API.
constexpr std::size_t kStopStringBytes = 256;

ApiError unsupported(const char* field, const std::string& message) {
  return {400, "unsupported", message, field};
}

bool all_of(const nlohmann::json& list, bool (nlohmann::json::*is)() const noexcept) {
  return std::all_of(list.begin(), list.end(), [is](const nlohmann::json& element) { return (element.*is)(); });
}

ApiResult<std::vector<std::int32_t>> read_prompt(const nlohmann::json& prompt, const ServedModel& model,
                                                 std::int64_t tokens_max) {
  return prompt.is_string() ? encode_text(model, prompt, "prompt", tokens_max)
                            : read_ids(prompt, "prompt", model.vocab_size);
}

// A string, a list of strings, a list of ids or a list of lists of ids: always as a list of prompts.
ApiResult<std::vector<const nlohmann::json*>> split_prompts(const nlohmann::json* prompt) {
  constexpr auto* kWanted = "prompt must be a string, a list of strings, a list of token ids or a list of such lists";
  if (prompt == nullptr) {
    return refuse("prompt", "prompt is missing");
  }
  if (prompt->is_string()) {
    return std::vector{prompt};
  }
  if (!prompt->is_array() || prompt->empty()) {
    return refuse("prompt", kWanted);
  }
  if (all_of(*prompt, &nlohmann::json::is_number)) {
    return std::vector{prompt};
  }
  if (!all_of(*prompt, &nlohmann::json::is_string) && !all_of(*prompt, &nlohmann::json::is_array)) {
    return refuse("prompt", kWanted);
  }
  std::vector<const nlohmann::json*> prompts;
  for (const auto& element : *prompt) {
    prompts.push_back(&element);
  }
  return prompts;
}

ApiResult<Prompts> read_prompts(const nlohmann::json* field, std::int64_t best_of, const ServedModel& model,
                                const HttpLimits& limits) {
  auto parts = split_prompts(field);
  if (!parts) {
    return tl::unexpected<ApiError>(parts.error());
  }
  if (static_cast<std::int64_t>(parts->size()) > limits.prompts_max / best_of) {
    return refuse("prompt",
                  "more than " + std::to_string(limits.prompts_max) + " prompts (times n or best_of) in one request");
  }
  Prompts prompts;
  for (const nlohmann::json* part : *parts) {
    auto ids = read_prompt(*part, model, limits.prompt_tokens_max);
    if (!ids) {
      return tl::unexpected<ApiError>(ids.error());
    }
    if (ids->empty()) {
      return refuse("prompt", "a prompt is empty");
    }
    if (static_cast<std::int64_t>(ids->size()) > limits.prompt_tokens_max) {
      return too_many_tokens("prompt", limits.prompt_tokens_max);
    }
    prompts.push_back(*std::move(ids));
  }
  return prompts;
}

// The prompts as they were given; those of ids decoded.
std::vector<std::string> texts_of(const std::vector<const nlohmann::json*>& given, const Prompts& prompts,
                                  const ServedModel& model) {
  std::vector<std::string> texts;
  for (std::size_t index = 0; index < given.size(); ++index) {
    texts.push_back(given[index]->is_string() ? given[index]->get<std::string>() : decode_text(model, prompts[index]));
  }
  return texts;
}

std::vector<std::string> read_stop(JsonFields& fields) {
  const auto* field = fields.any("stop");
  if (field == nullptr) {
    return {};
  }
  const nlohmann::json list = field->is_array() ? *field : nlohmann::json::array({*field});
  std::vector<std::string> stop;
  for (const auto& element : list) {
    const bool good = element.is_string() && !element.get_ref<const std::string&>().empty() &&
                      element.get_ref<const std::string&>().size() <= kStopStringBytes;
    if (!good || stop.size() == kStopStringsMax) {
      fields.problem({400, "invalid_argument", "stop must be one to four strings of 1 to 256 bytes", "stop"});
      return {};
    }
    stop.push_back(element.get<std::string>());
  }
  return stop;
}

SamplingParams read_sampling(JsonFields& fields, const HttpLimits& limits, std::uint64_t random_seed) {
  constexpr std::int64_t kIntMax = std::numeric_limits<std::int32_t>::max();
  SamplingParams sampling;
  const auto whole = [&fields](const char* name, std::int64_t fallback, std::int64_t min, std::int64_t max) {
    return static_cast<std::int32_t>(fields.integer(name, fallback, min, max));
  };
  sampling.max_new_tokens =
      whole("max_tokens", std::min<std::int64_t>(16, limits.output_tokens_max), 1, limits.output_tokens_max);
  sampling.min_new_tokens = whole("min_tokens", 0, 0, sampling.max_new_tokens);
  sampling.temperature = static_cast<float>(fields.number("temperature", 1, 0, 2));
  sampling.top_p = static_cast<float>(fields.number("top_p", 1, 1e-6, 1));
  sampling.top_k = std::max(0, whole("top_k", 0, -1, kIntMax));  // -1 is vLLM's word for off.
  sampling.repetition_penalty = static_cast<float>(fields.number("repetition_penalty", 1, 0.01, 100));
  sampling.no_repeat_ngram_size = whole("no_repeat_ngram_size", 0, 0, 1024);
  sampling.seed = fields.optional_unsigned("seed").value_or(random_seed);
  if (fields.boolean("ignore_eos", false)) {
    sampling.min_new_tokens = sampling.max_new_tokens;
  }
  return sampling;
}

ApiError invalid(const char* field, const std::string& message) {
  return {400, "invalid_argument", message, field};
}

EarlyStopping read_early_stopping(JsonFields& fields) {
  const auto* field = fields.any("early_stopping");
  if (field == nullptr) return EarlyStopping::kNo;
  if (field->is_boolean()) return field->get<bool>() ? EarlyStopping::kYes : EarlyStopping::kNo;
  if (*field == "never") return EarlyStopping::kNever;
  fields.problem(invalid("early_stopping", "early_stopping must be true, false or \"never\""));
  return EarlyStopping::kNo;
}

// After the other fields of sampling: a beam search takes the best continuations, and none of these apply.
void read_beam_search(JsonFields& fields, CompletionsRequest& request) {
  const bool wanted = fields.boolean("use_beam_search", false);
  const BeamParams beams{.beams = static_cast<std::int32_t>(request.best_of),
                         .returned = static_cast<std::int32_t>(request.choices_per_prompt),
                         .length_penalty = fields.number("length_penalty", 1, -10, 10),
                         .early_stopping = read_early_stopping(fields)};
  if (!wanted) {
    for (const char* name : {"length_penalty", "early_stopping"}) {
      if (fields.any(name) != nullptr) fields.problem(invalid(name, std::string(name) + " needs use_beam_search"));
    }
    return;
  }
  if (beams.beams < 2) {
    fields.problem(invalid("best_of", "use_beam_search needs best_of (or n) of 2 or more, the number of beams"));
  }
  SamplingParams& sampling = request.sampling;
  if (fields.any("temperature") != nullptr && sampling.temperature != 0) {
    fields.problem(invalid("temperature", "use_beam_search does not sample: leave temperature out or make it 0"));
  }
  if (sampling.top_p != 1) fields.problem(invalid("top_p", "use_beam_search does not sample: leave top_p out"));
  if (sampling.top_k != 0) fields.problem(invalid("top_k", "use_beam_search does not sample: leave top_k out"));
  if (!request.stop.empty()) {
    fields.problem(unsupported("stop", "stop is not supported with use_beam_search"));
  }
  sampling.temperature = 0;
  sampling.beam_search = beams;
}

// What is best is known at the end.
void refuse_streamed_choosing(JsonFields& fields, const CompletionsRequest& request) {
  if (!request.stream) return;
  if (request.sampling.beam_search) {
    fields.problem(invalid("stream", "use_beam_search cannot be streamed"));
  } else if (request.best_of > request.choices_per_prompt) {
    fields.problem(invalid("stream", "best_of above n cannot be streamed"));
  }
}

bool read_stream_usage(JsonFields& fields, bool stream) {
  const auto* options = fields.any("stream_options");
  if (options == nullptr) {
    return false;
  }
  const bool object = options->is_object() && options->size() <= 1;
  const auto usage = object ? options->value("include_usage", nlohmann::json(false)) : nlohmann::json();
  if (!stream || !usage.is_boolean() || (options->size() == 1 && !options->contains("include_usage"))) {
    fields.problem({400, "invalid_argument",
                    "stream_options is {\"include_usage\": true or false}, and only with stream true",
                    "stream_options"});
    return false;
  }
  return usage.get<bool>();
}

// Fields of OpenAI's API that are accepted only with the value that changes nothing.
void refuse_unsupported(JsonFields& fields) {
  fields.text("user", "");
  if (fields.any("suffix") != nullptr) {
    fields.problem(unsupported("suffix", "suffix is not supported"));
  }
  for (const char* name : {"frequency_penalty", "presence_penalty"}) {
    if (fields.number(name, 0, -2, 2) != 0) {
      fields.problem(unsupported(name, std::string(name) + " is not supported: use repetition_penalty"));
    }
  }
  const auto* bias = fields.any("logit_bias");
  if (bias != nullptr && !bias->empty()) {
    fields.problem(unsupported("logit_bias", "logit_bias is not supported"));
  }
}

}  // namespace

namespace {

// What its sequences may come to hold in the caches.
ApiResult<void> check_request_tokens(const CompletionsRequest& request, std::int64_t tokens_max) {
  std::int64_t tokens = 0;  // Cannot overflow: every factor has a limit of its own.
  for (const auto& prompt : request.prompts) {
    tokens += static_cast<std::int64_t>(prompt.size()) + request.sampling.max_new_tokens;
  }
  tokens *= request.best_of;
  if (tokens <= tokens_max) {
    return {};
  }
  return tl::unexpected<ApiError>(ApiError{400, "context_length_exceeded",
                                           "the request's prompts with max_tokens each, times n or best_of, come to " +
                                               std::to_string(tokens) + " tokens, and " + std::to_string(tokens_max) +
                                               " are allowed: ask for less at a time",
                                           "prompt"});
}

}  // namespace

ApiResult<CompletionsRequest> parse_completions(const nlohmann::json& body, const ServedModel& model,
                                                const HttpLimits& limits, std::uint64_t random_seed) {
  JsonFields fields(body);
  if (auto known = check_model(model, fields.text("model", "")); !known) {
    fields.problem(known.error());
  }
  CompletionsRequest request;
  request.choices_per_prompt = fields.integer("n", 1, 1, limits.prompts_max);
  request.best_of = fields.integer("best_of", request.choices_per_prompt, 1, limits.prompts_max);
  if (request.best_of < request.choices_per_prompt) {
    fields.problem(invalid("best_of", "best_of must be at least n"));
  }
  request.sampling = read_sampling(fields, limits, random_seed);
  request.stop = read_stop(fields);
  if (!request.stop.empty() && model.tokenizer == nullptr) {
    fields.problem({400, "invalid_argument", "stop needs text, and this model has no tokenizer", "stop"});
  }
  read_beam_search(fields, request);
  request.want_logprobs = fields.any("logprobs") != nullptr;
  request.sampling.logprobs = static_cast<std::int32_t>(fields.integer("logprobs", 0, 0, 5));
  request.routing = read_routing(fields);
  request.return_routing = fields.boolean("return_routing", false);
  request.return_gates = read_return_gates(fields, request.routing);
  request.return_routing |= request.return_gates;
  request.return_token_ids = fields.boolean("return_token_ids", false);
  const bool echo = fields.boolean("echo", false);
  if (echo && request.want_logprobs) {
    fields.problem(unsupported("echo", "echo with logprobs: an encoder gives none for its prompt; use /v1/score"));
  }
  if (echo && model.tokenizer == nullptr) {
    fields.problem({400, "invalid_argument", "echo needs text, and this model has no tokenizer", "echo"});
  }
  request.stream = fields.boolean("stream", false);
  request.stream_usage = read_stream_usage(fields, request.stream);
  refuse_streamed_choosing(fields, request);
  refuse_unsupported(fields);
  const auto* prompt = fields.any("prompt");
  if (auto done = fields.finish(); !done) {
    return tl::unexpected<ApiError>(done.error());
  }
  // Last, since turning text into ids costs more than everything above.
  auto prompts = read_prompts(prompt, request.best_of, model, limits);
  if (!prompts) {
    return tl::unexpected<ApiError>(prompts.error());
  }
  request.prompts = *std::move(prompts);
  if (echo) request.echoed = texts_of(*split_prompts(prompt), request.prompts, model);
  // Kilobytes per token: a request with many prompts would hold gigabytes.
  if (request.return_gates &&
      (request.stream || request.prompts.size() * static_cast<std::size_t>(request.best_of) > 1)) {
    return refuse("return_gates", "return_gates takes one prompt with n and best_of of 1, not streamed");
  }
  if (auto few_enough = check_request_tokens(request, limits.request_tokens_max); !few_enough) {
    return tl::unexpected<ApiError>(few_enough.error());
  }
  return request;
}

std::string echo_of(const CompletionsRequest& request, std::size_t choice) {
  return request.echoed.empty() ? "" : request.echoed[choice / static_cast<std::size_t>(request.choices_per_prompt)];
}

std::vector<Job> jobs_of(const CompletionsRequest& request) {
  std::vector<Job> jobs;
  const std::int64_t per_prompt = request.sampling.beam_search ? 1 : request.best_of;
  for (const auto& prompt : request.prompts) {
    for (std::int64_t sequence = 0; sequence < per_prompt; ++sequence) {
      GenerateJob generate{prompt, request.sampling};
      generate.sampling.seed += jobs.size();
      Job job;
      job.work = std::move(generate);
      job.return_experts = request.return_routing;
      job.routing = request.routing;
      job.return_gates = request.return_gates;
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

}  // namespace sida::router
