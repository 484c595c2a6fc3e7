// Reads a flat YAML configuration file. The one file that knows yaml-cpp.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sida::config {

struct FileEntry {
  std::string key;
  std::vector<std::string> values;  // One for a scalar, each of a list of scalars.
  int line = 0;                     // From 1.
};

inline constexpr std::size_t kConfigFileBytesMax = 1U << 20U;  // A configuration has a hundred lines.

// A mapping of scalars and lists of scalars, no key twice. An empty document is an empty mapping.
Result<std::vector<FileEntry>> parse_yaml(std::string_view text);
// kInvalidArgument, with the file named, when it is missing, too large or not such a mapping.
Result<std::vector<FileEntry>> read_yaml_file(const std::filesystem::path& path);

}  // namespace sida::config
