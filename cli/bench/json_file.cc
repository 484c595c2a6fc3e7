#include "cli/bench/json_file.h"

#include <fstream>

namespace sida::bench {

Result<void> write_text_file(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return fail(ErrorCode::kIo, path + ": cannot be written");
  return {};
}

Result<void> write_json_file(const std::string& path, const nlohmann::json& json) {
  return write_text_file(path, json.dump(2) + "\n");
}

}  // namespace sida::bench
