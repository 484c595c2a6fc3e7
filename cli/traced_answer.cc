#include "cli/traced_answer.h"

#include <sodium.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace sida::cli {
namespace {

using nlohmann::json;

tl::unexpected<Error> unexpected_answer(const std::string& why) {
  return fail(ErrorCode::kInternal, "the router's answer is not what was asked for: " + why);
}

template <typename T>
Result<std::vector<T>> numbers(const json& layer, const char* key, std::size_t count) {
  const auto found = layer.find(key);
  if (found == layer.end() || !found->is_string()) return unexpected_answer(std::string("gates have no ") + key);
  const auto& text = found->get_ref<const std::string&>();
  std::vector<T> values(count);
  std::size_t bytes = 0;
  const int decoded = sodium_base642bin(reinterpret_cast<unsigned char*>(values.data()), count * sizeof(T), text.data(),
                                        text.size(), nullptr, &bytes, nullptr, sodium_base64_VARIANT_ORIGINAL);
  if (decoded != 0 || bytes != count * sizeof(T)) return unexpected_answer(std::string(key) + " has another length");
  return values;
}

Result<trace::TracedLayer> layer_of(const trace::TraceHeader& header, const json& gates, const json& served,
                                    std::size_t tokens) {
  if (!gates.is_object() || !served.is_array() || served.size() != tokens) {
    return unexpected_answer("a layer has another number of tokens");
  }
  const std::size_t entries = tokens * static_cast<std::size_t>(header.top());
  auto choice = numbers<std::int16_t>(gates, "choice", tokens);
  if (!choice) return tl::unexpected(std::move(choice).error());
  auto experts = numbers<std::int16_t>(gates, "experts", entries);
  if (!experts) return tl::unexpected(std::move(experts).error());
  auto probabilities = numbers<float>(gates, "probabilities", entries);
  if (!probabilities) return tl::unexpected(std::move(probabilities).error());
  trace::TracedLayer layer;
  layer.gate = std::move(*choice);
  layer.top_experts = std::move(*experts);
  for (const float probability : *probabilities) {
    layer.top_log_probabilities.push_back(probability > 0 ? std::log(probability) : trace::kLogProbabilityMin);
  }
  for (const auto& expert : served) {
    const auto id = expert.is_number_integer() ? expert.get<std::int64_t>() : -2;
    if (id < -1 || id >= header.num_experts) return unexpected_answer("an expert that the model does not have");
    layer.served.push_back(static_cast<std::int16_t>(id));
  }
  return layer;
}

Result<std::vector<trace::TracedLayer>> stack_of(const trace::TraceHeader& header, const json& routing,
                                                 const char* stack, std::int32_t layers, std::size_t tokens) {
  std::vector<trace::TracedLayer> traced;
  if (layers == 0) return traced;
  const auto pointer = json::json_pointer(std::string("/gates/") + stack);
  const auto served_pointer = json::json_pointer(std::string("/experts/") + stack);
  if (!routing.contains(pointer) || !routing.contains(served_pointer)) return unexpected_answer("it has no gates");
  const json& gates = routing[pointer];
  const json& served = routing[served_pointer];
  const auto count = static_cast<std::size_t>(layers);
  if (!gates.is_array() || !served.is_array() || gates.size() != count || served.size() != count) {
    return unexpected_answer("it has another number of MoE layers");
  }
  for (std::size_t index = 0; index < count; ++index) {
    auto layer = layer_of(header, gates[index], served[index], tokens);
    if (!layer) return tl::unexpected(std::move(layer).error());
    traced.push_back(std::move(*layer));
  }
  return traced;
}

// The object that holds token_ids and routing; null when the answer has none.
const json* result_of(const json& answer, bool generated) {
  if (!answer.is_object()) return nullptr;
  const json* result = &answer;
  if (generated) {
    const auto choices = answer.find("choices");
    if (choices == answer.end() || !choices->is_array() || choices->empty()) return nullptr;
    result = &choices->front();
  }
  const bool whole = result->is_object() && result->contains("routing") && result->contains("token_ids") &&
                     (*result)["token_ids"].is_array();
  return whole ? result : nullptr;
}

}  // namespace

Result<trace::TracedSequence> traced_answer(const trace::TraceHeader& header, const TraceJob& job, const json& answer) {
  const bool generated = job.target.empty();
  const json* result = result_of(answer, generated);
  if (result == nullptr) return unexpected_answer("it has no tokens or no routing");
  trace::TracedSequence sequence;
  sequence.ordinal = job.ordinal;
  sequence.task = job.task;
  sequence.teacher_forced = !generated;
  sequence.source = job.source;
  for (const auto& id : (*result)["token_ids"]) {
    const auto token = id.is_number_integer() ? id.get<std::int64_t>() : -1;
    if (token < 0 || token >= header.vocab_size) return unexpected_answer("a token outside the vocabulary");
    sequence.target.push_back(static_cast<std::int32_t>(token));
  }
  const json& routing = (*result)["routing"];
  auto encoder = stack_of(header, routing, "encoder", header.encoder_layers, sequence.source.size());
  if (!encoder) return tl::unexpected(std::move(encoder).error());
  auto decoder = stack_of(header, routing, "decoder", header.decoder_layers, sequence.target.size());
  if (!decoder) return tl::unexpected(std::move(decoder).error());
  sequence.encoder = std::move(*encoder);
  sequence.decoder = std::move(*decoder);
  return sequence;
}

TraceQuestion trace_question(const TraceJob& job, std::int64_t new_tokens_max) {
  if (!job.target.empty()) {
    return {"/v1/score", {{"prompt", job.source}, {"target", job.target}, {"return_gates", true}}};
  }
  return {"/v1/completions",
          {{"prompt", job.source},
           {"max_tokens", new_tokens_max},
           {"temperature", 0},
           {"return_token_ids", true},
           {"return_gates", true}}};
}

}  // namespace sida::cli
