#include "router/http/inference_protocol.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/version.h"
#include "router/http/json_fields.h"

namespace sida::router {
namespace {

using nlohmann::json;

// One tensor of a request. `data` points into the body.
struct Tensor {
  std::string name;
  std::string datatype;
  std::vector<std::int64_t> shape;
  std::vector<const json*> data;  // Row-major.

  [[nodiscard]] std::int64_t batch() const { return shape.front(); }
};

// Data may be nested like the shape or flat.
void flatten(const json& data, std::vector<const json*>& out) {
  if (!data.is_array()) {
    out.push_back(&data);
    return;
  }
  for (const json& item : data) flatten(item, out);
}

ApiResult<std::vector<std::int64_t>> read_shape(const json* shape, const std::string& place) {
  std::vector<std::int64_t> sizes;
  if (shape == nullptr || !shape->is_array() || shape->empty() || shape->size() > 2) {
    return refuse(place, "shape must be a list of one or two sizes");
  }
  for (const json& size : *shape) {
    if (!size.is_number_integer() || size.get<std::int64_t>() < 1 || size.get<std::int64_t>() > (1 << 24)) {
      return refuse(place, "shape must hold whole numbers from 1 on");
    }
    sizes.push_back(size.get<std::int64_t>());
  }
  return sizes;
}

ApiResult<Tensor> read_tensor(const json& item, const std::string& place) {
  if (!item.is_object()) {
    return refuse(place, "an input must be an object with name, datatype, shape and data");
  }
  JsonFields fields(item);
  Tensor tensor{.name = fields.text("name", ""), .datatype = fields.text("datatype", ""), .shape = {}, .data = {}};
  fields.any("parameters");
  const json* shape_field = fields.any("shape");
  const json* data = fields.any("data");
  if (auto done = fields.finish(); !done) {
    return tl::unexpected<ApiError>(done.error());
  }
  auto shape = read_shape(shape_field, place + ".shape");
  if (!shape) {
    return tl::unexpected<ApiError>(shape.error());
  }
  if (data == nullptr || !data->is_array()) {
    return refuse(place + ".data", "data must be a list");
  }
  flatten(*data, tensor.data);
  std::int64_t elements = 1;
  for (const std::int64_t size : *shape) elements *= size;
  if (std::cmp_not_equal(tensor.data.size(), elements)) {
    return refuse(place + ".data", "data has " + std::to_string(tensor.data.size()) + " elements, its shape " +
                                       std::to_string(elements));
  }
  tensor.shape = *std::move(shape);
  return tensor;
}

bool is_whole(const Tensor& tensor) {
  return tensor.datatype == "INT64" || tensor.datatype == "INT32";
}

ApiResult<std::vector<std::vector<std::int32_t>>> read_texts(const Tensor& tensor, const ServedModel& model,
                                                             const HttpLimits& limits) {
  if (tensor.datatype != "BYTES" || (tensor.shape.size() == 2 && tensor.shape[1] != 1)) {
    return refuse("text", "text must have datatype BYTES and the shape [batch] or [batch, 1]");
  }
  std::vector<std::vector<std::int32_t>> sequences;
  for (const json* text : tensor.data) {
    if (!text->is_string()) {
      return refuse("text", "text must hold strings");
    }
    auto ids = encode_text(model, *text, "text", limits.prompt_tokens_max);
    if (!ids) {
      return tl::unexpected<ApiError>(ids.error());
    }
    sequences.push_back(*std::move(ids));
  }
  return sequences;
}

ApiResult<std::vector<bool>> read_mask(const Tensor& mask, const Tensor& ids) {
  if (mask.shape != ids.shape || !(is_whole(mask) || mask.datatype == "BOOL")) {
    return refuse("attention_mask", "attention_mask must be INT64, INT32 or BOOL and have the shape of input_ids");
  }
  std::vector<bool> kept;
  for (const json* value : mask.data) {
    const bool yes = *value == json(1) || *value == json(true);
    if (!yes && *value != json(0) && *value != json(false)) {
      return refuse("attention_mask", "attention_mask must hold 0 and 1");
    }
    kept.push_back(yes);
  }
  return kept;
}

ApiResult<std::vector<std::vector<std::int32_t>>> read_input_ids(const Tensor& ids, const Tensor* mask,
                                                                 const ServedModel& model) {
  if (!is_whole(ids) || ids.shape.size() != 2) {
    return refuse("input_ids", "input_ids must have datatype INT64 or INT32 and the shape [batch, length]");
  }
  std::vector<bool> kept(ids.data.size(), true);
  if (mask != nullptr) {
    auto read = read_mask(*mask, ids);
    if (!read) {
      return tl::unexpected<ApiError>(read.error());
    }
    kept = *std::move(read);
  }
  std::vector<std::vector<std::int32_t>> sequences(static_cast<std::size_t>(ids.shape[0]));
  const auto length = static_cast<std::size_t>(ids.shape[1]);
  for (std::size_t row = 0; row < sequences.size(); ++row) {
    json unmasked = json::array();
    for (std::size_t index = row * length; index < (row + 1) * length; ++index) {
      if (kept[index]) unmasked.push_back(*ids.data[index]);
    }
    auto read = read_ids(unmasked, "input_ids", model.vocab_size);
    if (!read) {
      return tl::unexpected<ApiError>(read.error());
    }
    sequences[row] = *std::move(read);
  }
  return sequences;
}

ApiResult<std::vector<Tensor>> read_inputs(const json* inputs) {
  constexpr std::size_t kInputsMax = 2;
  if (inputs == nullptr || !inputs->is_array() || inputs->empty() || inputs->size() > kInputsMax) {
    return refuse("inputs", "inputs must be a list of one or two tensors");
  }
  std::vector<Tensor> tensors;
  for (std::size_t index = 0; index < inputs->size(); ++index) {
    auto tensor = read_tensor((*inputs)[index], "inputs[" + std::to_string(index) + "]");
    if (!tensor) {
      return tl::unexpected<ApiError>(tensor.error());
    }
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

ApiResult<std::vector<std::vector<std::int32_t>>> read_sequences(const std::vector<Tensor>& tensors,
                                                                 const ServedModel& model, const HttpLimits& limits) {
  const auto named = [&](const char* name) {
    const auto found = std::ranges::find(tensors, name, &Tensor::name);
    return found == tensors.end() ? nullptr : &*found;
  };
  const Tensor* text = named("text");
  const Tensor* ids = named("input_ids");
  const Tensor* mask = named("attention_mask");
  const std::size_t known = (text != nullptr ? 1U : 0U) + (ids != nullptr ? 1U : 0U) + (mask != nullptr ? 1U : 0U);
  if (known != tensors.size() || (text == nullptr) == (ids == nullptr) || (mask != nullptr && ids == nullptr)) {
    return refuse("inputs", "inputs must be text, or input_ids with or without attention_mask");
  }
  if ((text != nullptr ? text : ids)->batch() > limits.prompts_max) {
    return refuse("inputs", "a batch has at most " + std::to_string(limits.prompts_max) + " sequences");
  }
  return text != nullptr ? read_texts(*text, model, limits) : read_input_ids(*ids, mask, model);
}

ApiResult<void> check_lengths(const std::vector<std::vector<std::int32_t>>& sequences, const HttpLimits& limits) {
  std::int64_t tokens = 0;
  for (const auto& sequence : sequences) {
    if (sequence.empty()) {
      return refuse("inputs", "a sequence has no tokens");
    }
    if (std::cmp_greater(sequence.size(), limits.prompt_tokens_max)) {
      return too_many_tokens("inputs", limits.prompt_tokens_max);
    }
    tokens += static_cast<std::int64_t>(sequence.size());
  }
  if (tokens > limits.request_tokens_max) {
    return too_many_tokens("inputs", limits.request_tokens_max);
  }
  return {};
}

// Nothing named: all.
ApiResult<void> read_outputs(const json* outputs, InferRequest& request) {
  if (outputs == nullptr || (outputs->is_array() && outputs->empty())) return {};
  if (!outputs->is_array()) {
    return refuse("outputs", "outputs must be a list");
  }
  request.want_logits = request.want_label = false;
  for (const json& output : *outputs) {
    const auto name = output.is_object() ? output.find("name") : output.end();
    if (!output.is_object() || name == output.end() || (*name != "logits" && *name != "label")) {
      return refuse("outputs", "an output is an object whose name is logits or label");
    }
    (*name == "logits" ? request.want_logits : request.want_label) = true;
  }
  return {};
}

}  // namespace

ApiResult<InferRequest> parse_infer(const json& body, const ServedModel& model, const HttpLimits& limits) {
  JsonFields fields(body);
  InferRequest request{.id = fields.text("id", ""), .sequences = {}};
  fields.any("parameters");
  const json* inputs = fields.any("inputs");
  const json* outputs = fields.any("outputs");
  if (auto done = fields.finish(); !done) {
    return tl::unexpected<ApiError>(done.error());
  }
  if (auto read = read_outputs(outputs, request); !read) {
    return tl::unexpected<ApiError>(read.error());
  }
  const auto tensors = read_inputs(inputs);
  if (!tensors) {
    return tl::unexpected<ApiError>(tensors.error());
  }
  auto sequences = read_sequences(*tensors, model, limits);
  if (!sequences) {
    return tl::unexpected<ApiError>(sequences.error());
  }
  if (auto fit = check_lengths(*sequences, limits); !fit) {
    return tl::unexpected<ApiError>(fit.error());
  }
  request.sequences = *std::move(sequences);
  return request;
}

std::vector<Job> jobs_of(const InferRequest& request, std::size_t head) {
  std::vector<Job> jobs;
  for (const auto& sequence : request.sequences) {
    jobs.emplace_back();
    jobs.back().work = ClassifyJob{.input_ids = sequence, .head = head};
  }
  return jobs;
}

json infer_response(const InferRequest& request, const ServedHead& head, const std::vector<JobResult>& results) {
  json logits = json::array();
  json labels = json::array();
  for (const JobResult& result : results) {
    for (const float logit : result.logits) logits.push_back(logit);
    const auto best = std::ranges::max_element(result.logits) - result.logits.begin();
    labels.push_back(head.labels[static_cast<std::size_t>(best)]);
  }
  json outputs = json::array();
  if (request.want_logits) {
    outputs.push_back({{"name", "logits"},
                       {"datatype", "FP32"},
                       {"shape", {results.size(), head.labels.size()}},
                       {"data", std::move(logits)}});
  }
  if (request.want_label) {
    outputs.push_back(
        {{"name", "label"}, {"datatype", "BYTES"}, {"shape", {results.size()}}, {"data", std::move(labels)}});
  }
  json response{{"model_name", head.name}, {"outputs", std::move(outputs)}};
  if (!request.id.empty()) response["id"] = request.id;
  return response;
}

json server_metadata() {
  return {{"name", "sida"}, {"version", version()}, {"extensions", json::array()}};
}

json head_metadata(const ServedHead& head) {
  const auto tensor = [](const char* name, const char* datatype, std::vector<std::int64_t> shape) {
    return json{{"name", name}, {"datatype", datatype}, {"shape", std::move(shape)}};
  };
  const auto labels = static_cast<std::int64_t>(head.labels.size());
  return {{"name", head.name},
          {"platform", "sida"},
          {"inputs",
           {tensor("text", "BYTES", {-1}), tensor("input_ids", "INT64", {-1, -1}),
            tensor("attention_mask", "INT64", {-1, -1})}},
          {"outputs", {tensor("logits", "FP32", {-1, labels}), tensor("label", "BYTES", {-1})}},
          {"parameters", {{"labels", head.labels}}}};
}

ApiResult<std::size_t> find_head(const ServedModel& model, std::string_view name) {
  std::string known;
  for (std::size_t index = 0; index < model.heads.size(); ++index) {
    if (model.heads[index].name == name) return index;
    known += (known.empty() ? "" : ", ") + model.heads[index].name;
  }
  const std::string there = known.empty() ? "; this model has none" : "; there are: " + known;
  return tl::unexpected<ApiError>(ApiError{404, "model_not_found", "no classification head of this name" + there, ""});
}

Reply protocol_error(const ApiError& error) {
  Reply reply = error_reply(error);
  reply.body = dump_json({{"error", error.message}});
  return reply;
}

}  // namespace sida::router
