#include "router/http/completions_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace sida::router {
namespace {

nlohmann::json envelope(const ResponseMeta& meta, const ServedModel& model) {
  return {{"id", meta.id}, {"object", "text_completion"}, {"created", meta.created}, {"model", model.name}};
}

}  // namespace

std::size_t held_back_bytes(const std::string& text, const std::vector<std::string>& stop) {
  std::size_t held = 0;
  for (const std::string& word : stop) {
    for (std::size_t length = std::min(word.size() - 1, text.size()); length > held; --length) {
      if (text.ends_with(std::string_view(word).substr(0, length))) {
        held = length;
      }
    }
  }
  return held;
}

ChoiceStream::ChoiceStream(std::size_t index, const ResponseMeta& meta, const CompletionsRequest& request,
                           const ServedModel& model)
    : index_(index), meta_(meta), request_(request), model_(model), decoded_(model), echo_(echo_of(request, index)) {}

std::optional<nlohmann::json> ChoiceStream::add(const GeneratedToken& token) {
  if (reached_stop_) {
    return std::nullopt;
  }
  ++tokens_;
  text_ = decoded_.add(token.token);
  const std::size_t end = find_stop(text_, request_.stop);
  if (end != std::string::npos) {
    reached_stop_ = true;
    text_.resize(end);
  }
  const std::size_t held = reached_stop_ ? 0 : held_back_bytes(text_, request_.stop);
  const std::size_t until = std::max(sent_bytes_, text_.size() - held);
  // The text before a stop string may be shorter than what was decoded without it.
  const std::string fresh = sent_bytes_ < text_.size() ? text_.substr(sent_bytes_, until - sent_bytes_) : "";
  sent_bytes_ = until;
  return chunk(fresh, {token}, nullptr);
}

nlohmann::json ChoiceStream::finish(FinishReason reason, const RoutingReport& routing) {
  const std::string rest = sent_bytes_ < text_.size() ? text_.substr(sent_bytes_) : "";
  sent_bytes_ = text_.size();
  const bool stopped = reached_stop_ || reason == FinishReason::kStop;
  nlohmann::json last = chunk(rest, {}, stopped ? "stop" : "length");
  if (request_.return_routing) {
    last["choices"][0]["routing"] = routing_json(routing);
  }
  return last;
}

nlohmann::json ChoiceStream::chunk(const std::string& text, const std::vector<GeneratedToken>& tokens,
                                   const nlohmann::json& finish_reason) {
  nlohmann::json choice{{"index", index_},
                        {"text", std::exchange(echo_, {}) + text},
                        {"logprobs", nullptr},
                        {"finish_reason", finish_reason}};
  if (request_.want_logprobs && !tokens.empty()) {
    choice["logprobs"] = logprobs_json(model_, tokens);
  }
  if (request_.return_token_ids) {
    choice["token_ids"] = nlohmann::json::array();
    for (const GeneratedToken& token : tokens) {
      choice["token_ids"].push_back(token.token);
    }
  }
  auto json = envelope(meta_, model_);
  json["choices"] = nlohmann::json::array({std::move(choice)});
  return json;
}

nlohmann::json usage_chunk(const ResponseMeta& meta, const CompletionsRequest& request, const ServedModel& model,
                           std::size_t completion_tokens) {
  auto json = envelope(meta, model);
  json["choices"] = nlohmann::json::array();
  json["usage"] = usage_json(request, completion_tokens);
  return json;
}

}  // namespace sida::router
