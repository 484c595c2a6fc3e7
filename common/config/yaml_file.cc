#include "common/config/yaml_file.h"

#include <yaml-cpp/yaml.h>

#include <fstream>
#include <set>

namespace sida::config {
namespace {

std::string at_line(const YAML::Mark& mark) {
  return "line " + std::to_string(mark.line + 1) + ": ";
}

Result<FileEntry> entry_of(const YAML::Node& key, const YAML::Node& value) {
  if (!key.IsScalar()) {
    return fail(ErrorCode::kInvalidArgument, at_line(key.Mark()) + "a key is not a plain word");
  }
  FileEntry entry{key.Scalar(), {}, key.Mark().line + 1};
  if (value.IsScalar()) {
    entry.values.push_back(value.Scalar());
    return entry;
  }
  if (!value.IsSequence()) {
    return fail(ErrorCode::kInvalidArgument,
                at_line(key.Mark()) + "'" + entry.key + "' needs a value or a list of values");
  }
  for (const YAML::Node& element : value) {
    if (!element.IsScalar()) {
      return fail(ErrorCode::kInvalidArgument,
                  at_line(element.Mark()) + "'" + entry.key + "' holds something other than plain values");
    }
    entry.values.push_back(element.Scalar());
  }
  return entry;
}

Result<std::vector<FileEntry>> entries_of(const YAML::Node& document) {
  std::vector<FileEntry> entries;
  if (document.IsNull()) {
    return entries;
  }
  if (!document.IsMap()) {
    return fail(ErrorCode::kInvalidArgument, "is not a list of 'name: value' lines");
  }
  std::set<std::string> seen;
  for (const auto& pair : document) {
    auto entry = entry_of(pair.first, pair.second);
    if (!entry) {
      return tl::unexpected<Error>(std::move(entry).error());
    }
    if (!seen.insert(entry->key).second) {
      return fail(ErrorCode::kInvalidArgument, at_line(pair.first.Mark()) + "'" + entry->key + "' is given twice");
    }
    entries.push_back(*std::move(entry));
  }
  return entries;
}

}  // namespace

Result<std::vector<FileEntry>> parse_yaml(std::string_view text) {
  try {
    return entries_of(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::kInvalidArgument, at_line(error.mark) + error.msg);
  }
}

Result<std::vector<FileEntry>> read_yaml_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(ErrorCode::kInvalidArgument, path.string() + ": cannot be opened");
  }
  std::string text(kConfigFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) {
    return fail(ErrorCode::kInvalidArgument, path.string() + ": cannot be read");
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kConfigFileBytesMax) {
    return fail(ErrorCode::kInvalidArgument, path.string() + ": is larger than 1 MiB");
  }
  auto entries = parse_yaml(text);
  return entries ? entries : fail_at(path.string(), std::move(entries).error());
}

}  // namespace sida::config
