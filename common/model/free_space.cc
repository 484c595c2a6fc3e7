#include "common/model/free_space.h"

#include <algorithm>
#include <string>
#include <system_error>

namespace sida::model {
namespace {

constexpr std::uint64_t kBytesBesideWeights = 64U << 20U;  // Headers, index and file system: generous.

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1'000'000'000) return std::to_string(bytes / 1'000'000) + " MB";
  const std::uint64_t tenths = bytes / 100'000'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GB";
}

}  // namespace

Result<void> check_space(const std::filesystem::path& folder, std::uint64_t bytes, std::uint64_t bytes_there) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  if (error) return fail(ErrorCode::kIo, folder.string() + ": " + error.message());
  const std::uint64_t needed = bytes - std::min(bytes, bytes_there) + kBytesBesideWeights;
  if (space.available >= needed) return {};
  return fail(ErrorCode::kIo, folder.string() + ": the model needs " + size_text(needed) + ", " +
                                  size_text(space.available) + " are free; make room or name another place");
}

}  // namespace sida::model
