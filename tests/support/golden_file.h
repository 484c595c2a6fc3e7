// Reads the tensors of a golden.safetensors by name. Test code: a missing or damaged file ends the test.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/model/read_only_file.h"
#include "common/model/safetensors_reader.h"

namespace sida::testing {

class GoldenFile {
 public:
  explicit GoldenFile(const std::filesystem::path& path) {
    auto file = model::ReadOnlyFile::open(path);
    if (!file) throw std::runtime_error(file.error().message);
    auto stored = model::read_safetensors(*file);
    if (!stored) throw std::runtime_error(stored.error().message);
    for (auto& tensor : *stored) {
      std::vector<std::byte> bytes(tensor.bytes);
      if (auto read = file->read(tensor.offset, bytes); !read) throw std::runtime_error(read.error().message);
      bytes_.emplace(tensor.name, std::move(bytes));
    }
  }

  [[nodiscard]] bool has(const std::string& name) const { return bytes_.contains(name); }

  template <typename T>
  [[nodiscard]] std::vector<T> values(const std::string& name) const {
    const auto& bytes = bytes_.at(name);
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
  }

  [[nodiscard]] std::vector<std::int32_t> ids(const std::string& name) const {
    const auto wide = values<std::int64_t>(name);
    return {wide.begin(), wide.end()};
  }

 private:
  std::map<std::string, std::vector<std::byte>> bytes_;
};

}  // namespace sida::testing
