#include "cli/score_input.h"

#include <fstream>
#include <sstream>

namespace sida::cli {
namespace {

// The value of `text_key` or, failing that, of `ids_key`; null when there is neither or both.
nlohmann::json side(const nlohmann::json& line, const char* text_key, const char* ids_key) {
  const auto text = line.find(text_key);
  const auto ids = line.find(ids_key);
  if ((text == line.end()) == (ids == line.end())) {
    return nullptr;
  }
  return text == line.end() ? *ids : *text;
}

}  // namespace

Result<std::vector<nlohmann::json>> parse_score_lines(std::string_view text) {
  std::vector<nlohmann::json> bodies;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    const auto object = nlohmann::json::parse(line, nullptr, false);
    const auto prompt = object.is_object() ? side(object, "prompt", "input_ids") : nlohmann::json();
    const auto target = object.is_object() ? side(object, "target", "target_ids") : nlohmann::json();
    if (prompt.is_null() || target.is_null()) {
      return fail(
          ErrorCode::kInvalidArgument,
          "line " + std::to_string(number) + " is no JSON object with prompt or input_ids, and target or target_ids");
    }
    bodies.push_back({{"prompt", prompt}, {"target", target}});
  }
  if (bodies.empty()) {
    return fail(ErrorCode::kInvalidArgument, "holds nothing to score");
  }
  return bodies;
}

Result<std::vector<nlohmann::json>> read_score_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) {
    return fail(ErrorCode::kInvalidArgument, "--file: " + path.string() + " cannot be read");
  }
  auto bodies = parse_score_lines(text.str());
  return bodies ? std::move(bodies) : fail_at("--file: " + path.string(), std::move(bodies).error());
}

}  // namespace sida::cli
