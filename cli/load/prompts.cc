#include "cli/load/prompts.h"

#include <fstream>
#include <random>

namespace sida::load {
namespace {

constexpr std::int64_t kFirstId = 3;  // Below are pad, end and unknown, in T5's vocabularies and those after it.

}  // namespace

Result<std::vector<nlohmann::json>> read_prompts(const std::string& file, const nlohmann::json& defaults) {
  std::ifstream lines(file);
  if (!lines) return fail(ErrorCode::kIo, "--prompts: " + file + " cannot be read");
  std::vector<nlohmann::json> bodies;
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \r\t") == std::string::npos) continue;
    nlohmann::json body = defaults;
    if (line.front() == '{') {
      const auto given = nlohmann::json::parse(line, nullptr, false);
      if (!given.is_object() || !given.contains("prompt")) {
        return fail(ErrorCode::kInvalidArgument, file + ": line " + std::to_string(number) +
                                                     " is no JSON object with a prompt: write {\"prompt\": \"...\"}");
      }
      body.update(given);
    } else {
      body["prompt"] = line;
    }
    bodies.push_back(std::move(body));
  }
  if (bodies.empty()) return fail(ErrorCode::kInvalidArgument, file + " has no prompt; write one a line");
  return bodies;
}

std::vector<nlohmann::json> random_prompts(std::size_t count, std::int64_t length, std::int64_t vocabulary,
                                           std::uint64_t seed, const nlohmann::json& defaults) {
  std::mt19937_64 random(seed);
  std::vector<nlohmann::json> bodies;
  for (std::size_t index = 0; index < count; ++index) {
    std::vector<std::int64_t> ids;
    for (std::int64_t at = 0; at < length; ++at) {
      ids.push_back(kFirstId + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(vocabulary - kFirstId)));
    }
    nlohmann::json body = defaults;
    body["prompt"] = std::move(ids);
    bodies.push_back(std::move(body));
  }
  return bodies;
}

}  // namespace sida::load
