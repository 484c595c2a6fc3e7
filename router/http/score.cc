#include "router/http/score.h"

#include <cmath>
#include <numeric>

#include "router/http/json_fields.h"
#include "router/http/routing_field.h"

namespace sida::router {
namespace {

ApiResult<std::vector<std::int32_t>> read_side(const nlohmann::json* field, const char* param, std::int64_t tokens_max,
                                               const ServedModel& model) {
  if (field == nullptr || !(field->is_string() || field->is_array())) {
    return refuse(param, std::string(param) + " must be a string or a list of token ids");
  }
  auto ids =
      field->is_string() ? encode_text(model, *field, param, tokens_max) : read_ids(*field, param, model.vocab_size);
  if (ids && ids->empty()) {
    return refuse(param, std::string(param) + " is empty");
  }
  if (ids && static_cast<std::int64_t>(ids->size()) > tokens_max) {
    return too_many_tokens(param, tokens_max);
  }
  return ids;
}

}  // namespace

ApiResult<ScoreRequest> parse_score(const nlohmann::json& body, const ServedModel& model, const HttpLimits& limits) {
  JsonFields fields(body);
  if (auto known = check_model(model, fields.text("model", "")); !known) {
    fields.problem(known.error());
  }
  ScoreRequest request;
  request.routing = read_routing(fields);
  request.return_routing = fields.boolean("return_routing", false);
  request.return_gates = read_return_gates(fields, request.routing);
  request.return_routing |= request.return_gates;
  const auto* prompt = fields.any("prompt");
  const auto* target = fields.any("target");
  if (auto done = fields.finish(); !done) {
    return tl::unexpected<ApiError>(done.error());
  }
  auto input_ids = read_side(prompt, "prompt", limits.prompt_tokens_max, model);
  if (!input_ids) {
    return tl::unexpected<ApiError>(input_ids.error());
  }
  auto target_ids = read_side(target, "target", limits.output_tokens_max, model);
  if (!target_ids) {
    return tl::unexpected<ApiError>(target_ids.error());
  }
  request.work = {*std::move(input_ids), *std::move(target_ids)};
  return request;
}

Job job_of(const ScoreRequest& request) {
  Job job;
  job.work = request.work;
  job.return_experts = request.return_routing;
  job.routing = request.routing;
  job.return_gates = request.return_gates;
  return job;
}

nlohmann::json score_response(const ResponseMeta& meta, const ScoreRequest& request, const ServedModel& model,
                              const JobResult& result) {
  const auto& logprobs = result.target_logprobs;
  const double sum = std::accumulate(logprobs.begin(), logprobs.end(), 0.0);
  const double perplexity = std::exp(-sum / static_cast<double>(std::max<std::size_t>(1, logprobs.size())));
  nlohmann::json json{{"id", meta.id},
                      {"object", "score"},
                      {"created", meta.created},
                      {"model", model.name},
                      {"token_ids", request.work.target_ids},
                      {"logprobs", logprobs},
                      {"perplexity", perplexity},
                      {"usage",
                       {{"prompt_tokens", request.work.input_ids.size()},
                        {"completion_tokens", request.work.target_ids.size()},
                        {"total_tokens", request.work.input_ids.size() + request.work.target_ids.size()}}}};
  if (request.return_routing) {
    json["routing"] = routing_json(result.routing);
  }
  return json;
}

}  // namespace sida::router
