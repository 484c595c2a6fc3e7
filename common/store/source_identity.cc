#include "common/store/source_identity.h"

#include <filesystem>
#include <system_error>

namespace sida::store {

Result<std::string> source_identity(const model::ModelDirectory& model) {
  std::string identity = "model " + model::to_hex(model.fingerprint()) + "\n";
  for (const auto& path : model.weights().files()) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    const auto changed = error ? std::filesystem::file_time_type() : std::filesystem::last_write_time(path, error);
    if (error) return fail(ErrorCode::kIo, path.string() + ": " + error.message());
    identity += path.filename().string() + " " + std::to_string(size) + " " +
                std::to_string(changed.time_since_epoch().count()) + "\n";
  }
  return identity;
}

}  // namespace sida::store
