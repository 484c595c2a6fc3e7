#include "cli/generate_output.h"

namespace sida::cli {
namespace {

bool has_shape(const nlohmann::json& answer) {
  if (!answer.is_object() || !answer.contains("choices") || !answer["choices"].is_array() ||
      answer["choices"].empty()) {
    return false;
  }
  const auto& choice = answer["choices"][0];
  return choice.contains("token_ids") && choice.contains("prompt_token_ids") && choice.contains("text") &&
         choice.contains("finish_reason") && choice.contains("routing") && choice["routing"].is_object();
}

// "  layer 0:  3  3  7 -1"
std::string stack_lines(const std::string& title, const nlohmann::json& layers) {
  if (!layers.is_array() || layers.empty()) {
    return "";
  }
  std::string text = title + "\n";
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    text += "  MoE layer " + std::to_string(layer) + ":";
    for (const auto& expert : layers[layer]) {
      text += " " + expert.dump();
    }
    text += "\n";
  }
  return text;
}

// "  worker-0: 14 rows, experts 0/3 0/7 1/2" (layer/expert, layers counted from the encoder's first)
std::string worker_lines(const nlohmann::json& routing, const nlohmann::json& experts) {
  const auto rows = routing.value("rows_by_worker", nlohmann::json::object());
  std::string text;
  for (const auto& [worker, count] : rows.items()) {
    text += "  " + worker + ": " + count.dump() + " rows";
    if (experts.contains("by_worker") && experts["by_worker"].contains(worker)) {
      text += "; layer/expert";
      for (const auto& pair : experts["by_worker"][worker]) {
        text += " " + pair[0].dump() + "/" + pair[1].dump();
      }
    }
    text += "\n";
  }
  return text.empty() ? text : "Workers\n" + text;
}

std::string agreement_line(const nlohmann::json& routing) {
  const auto agreement = routing.value("agreement", nlohmann::json());
  if (!agreement.is_number()) {
    return "Predicted: nothing in time for these tokens\n";
  }
  char text[96];
  std::snprintf(text, sizeof text, "Predicted: the gate agreed with %.1f %% of the hash table's entries\n",
                100 * agreement.get<double>());
  return text;
}

}  // namespace

Result<nlohmann::json> generate_output(const nlohmann::json& answer, bool show_experts) {
  if (!has_shape(answer)) {
    return fail(ErrorCode::kInternal, "the router's answer is not one of sida's /v1/completions");
  }
  const auto& choice = answer["choices"][0];
  nlohmann::json routing = choice["routing"];
  const nlohmann::json experts = routing.value("experts", nlohmann::json::object());
  routing.erase("experts");
  nlohmann::json output{{"input_ids", choice["prompt_token_ids"]},
                        {"token_ids", choice["token_ids"]},
                        {"text", choice["text"]},
                        {"finish_reason", choice["finish_reason"]},
                        {"usage", answer.value("usage", nlohmann::json::object())},
                        {"routing", routing}};
  if (choice.contains("score")) output["score"] = choice["score"];
  if (show_experts) {
    output["experts"] = experts;
  }
  return output;
}

std::string generate_text(const nlohmann::json& output) {
  const auto text = output["text"].is_string() ? output["text"].get<std::string>() : "";
  std::string lines = (text.empty() ? "token ids: " + output["token_ids"].dump() : text) + "\n";
  if (output.contains("experts")) {
    const auto& experts = output["experts"];
    lines += "\nExperts that served each token, in order (-1: dropped by capacity)\n";
    lines += stack_lines("Encoder", experts.value("encoder", nlohmann::json()));
    lines += stack_lines("Decoder", experts.value("decoder", nlohmann::json()));
    lines += worker_lines(output["routing"], experts);
    lines += agreement_line(output["routing"]);
  }
  return lines;
}

std::string print_json(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sida::cli
