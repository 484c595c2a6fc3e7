#include "router/http/completions_response.h"

#include <algorithm>
#include <string_view>

#include "router/http/gates_json.h"
#include "router/http/growing_text.h"

namespace sida::router {
namespace {

std::vector<std::int32_t> ids_of(const std::vector<GeneratedToken>& tokens) {
  std::vector<std::int32_t> ids;
  ids.reserve(tokens.size());
  for (const GeneratedToken& token : tokens) {
    ids.push_back(token.token);
  }
  return ids;
}

// A model without a tokeniser has no names for its tokens: OpenAI's clients need strings, so the id stands in.
std::string token_name(const ServedModel& model, std::int32_t id) {
  return model.tokenizer == nullptr ? "token_id:" + std::to_string(id) : model.tokenizer->token(id);
}

// {"worker-0": [[layer, expert], …]}
nlohmann::json by_worker_json(const RoutingReport& report) {
  auto json = nlohmann::json::object();
  for (const auto& [worker, experts] : report.experts_by_worker) {
    auto& list = json[worker] = nlohmann::json::array();
    for (const ExpertKey& key : experts) {
      list.push_back({key.layer.value, key.expert.value});
    }
  }
  return json;
}

nlohmann::json choice_json(std::size_t index, const CompletionsRequest& request, const ServedModel& model,
                           const Choice& choice) {
  nlohmann::json json{{"index", index},
                      {"text", echo_of(request, index) + choice.text},
                      {"logprobs", request.want_logprobs ? logprobs_json(model, choice.tokens) : nlohmann::json()},
                      {"finish_reason", choice.finish_reason == FinishReason::kStop ? "stop" : "length"}};
  if (request.return_token_ids) {
    json["prompt_token_ids"] = request.prompts[index / static_cast<std::size_t>(request.choices_per_prompt)];
    json["token_ids"] = ids_of(choice.tokens);
  }
  if (choice.score) {
    json["score"] = *choice.score;
  }
  if (request.return_routing) {
    json["routing"] = routing_json(choice.routing);
  }
  return json;
}

}  // namespace

std::size_t find_stop(const std::string& text, const std::vector<std::string>& stop) {
  std::size_t first = std::string::npos;
  for (const std::string& word : stop) {
    first = std::min(first, text.find(word));
  }
  return first;
}

nlohmann::json logprobs_json(const ServedModel& model, const std::vector<GeneratedToken>& generated) {
  auto tokens = nlohmann::json::array();
  auto logprobs = nlohmann::json::array();
  auto top_logprobs = nlohmann::json::array();
  auto offsets = nlohmann::json::array();
  GrowingText before(model);
  for (const GeneratedToken& token : generated) {
    tokens.push_back(token_name(model, token.token));
    logprobs.push_back(token.logprob);
    auto top = nlohmann::json::object();
    for (const TokenLogprob& alternative : token.top) {
      top[token_name(model, alternative.token)] = alternative.logprob;
    }
    top_logprobs.push_back(std::move(top));
    offsets.push_back(before.text().size());
    before.add(token.token);
  }
  return {{"tokens", tokens}, {"token_logprobs", logprobs}, {"top_logprobs", top_logprobs}, {"text_offset", offsets}};
}

nlohmann::json usage_json(const CompletionsRequest& request, std::size_t completion_tokens) {
  std::size_t prompt_tokens = 0;
  for (const auto& prompt : request.prompts) {
    prompt_tokens += prompt.size();
  }
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens}};
}

Choice apply_stop(const ServedModel& model, const std::vector<std::string>& stop, const JobResult& result) {
  const auto ids = ids_of(result.tokens);
  Choice choice{decode_text(model, ids), result.tokens, result.finish_reason};
  const std::size_t end = find_stop(choice.text, stop);
  if (end == std::string::npos) {
    return choice;
  }
  choice.text.resize(end);
  choice.finish_reason = FinishReason::kStop;
  GrowingText text(model);
  for (std::size_t count = 0; count < ids.size(); ++count) {
    if (find_stop(text.add(ids[count]), stop) != std::string::npos) {
      choice.tokens.resize(count + 1);
      break;
    }
  }
  return choice;
}

nlohmann::json completions_response(const ResponseMeta& meta, const CompletionsRequest& request,
                                    const ServedModel& model, const std::vector<JobResult>& results) {
  auto choices = nlohmann::json::array();
  const Choices found = choose(request, model, results);
  for (std::size_t index = 0; index < found.chosen.size(); ++index) {
    choices.push_back(choice_json(index, request, model, found.chosen[index]));
  }
  return {{"id", meta.id},       {"object", "text_completion"},   {"created", meta.created},
          {"model", model.name}, {"choices", std::move(choices)}, {"usage", usage_json(request, found.tokens)}};
}

nlohmann::json routing_json(const RoutingReport& report) {
  nlohmann::json agreement;
  if (report.compared > 0) {
    agreement = static_cast<double>(report.agreed) / static_cast<double>(report.compared);
  }
  nlohmann::json json{{"mode", name(report.mode)},
                      {"routed", report.routed},
                      {"predicted", report.predicted},
                      {"late", report.late},
                      {"by_table", report.by_table},
                      {"compared", report.compared},
                      {"hits", report.agreed},
                      {"agreement", agreement},
                      {"rows_by_worker", report.rows_by_worker},
                      {"experts",
                       {{"encoder", report.encoder_experts},
                        {"decoder", report.decoder_experts},
                        {"by_worker", by_worker_json(report)}}}};
  if (!report.encoder_gates.empty() || !report.decoder_gates.empty()) json["gates"] = gates_json(report);
  return json;
}

}  // namespace sida::router
