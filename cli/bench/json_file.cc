#include "cli/bench/json_file.h"

#include <fstream>

namespace sida::bench {

Result<void> write_json_file(const std::string& path, const nlohmann::json& json) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::binary);
  file << json.dump(2) << "\n";
  file.close();
  if (!file) return fail(ErrorCode::kIo, path + ": cannot be written");
  return {};
}

}  // namespace sida::bench
