// Directories that Hugging Face wrote, in all its formats, open without a warning and agree among each other.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "common/model/model_directory.h"

namespace sida::model {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> golden_models() {
  std::vector<fs::path> models;
  for (const auto& entry : fs::directory_iterator(fs::path(SIDA_SOURCE_DIR) / "tests/golden/cases")) {
    models.push_back(entry.path() / "model");
  }
  return models;
}

TEST(GoldenModels, AllOpenWithoutAWarning) {
  for (const fs::path& path : golden_models()) {
    const auto model = ModelDirectory::open(path);
    ASSERT_TRUE(model.has_value()) << model.error().message;
    for (const std::string& warning : model->warnings()) ADD_FAILURE() << path << ": " << warning;
  }
}

TEST(GoldenModels, CoverEveryFormatAndType) {
  std::set<std::string> formats;
  std::set<DType> types;
  for (const fs::path& path : golden_models()) {
    for (const char* name :
         {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"}) {
      if (fs::exists(path / name)) formats.insert(name);
    }
    types.insert(ModelDirectory::open(path).value().config().dtype);
  }
  EXPECT_EQ(formats.size(), 4U);
  EXPECT_EQ(types.size(), 3U);
}

// Every value is a finite number, which offsets that are wrong by a byte would not give.
TEST(GoldenModels, HoldFiniteValues) {
  for (const fs::path& path : golden_models()) {
    const auto weights = WeightFiles::open(path).value();
    for (const auto& [name, info] : weights.tensors()) {
      if (info.dtype == DType::kInt32) continue;  // A table of experts.
      const auto values = weights.read_as_fp32(info);
      ASSERT_TRUE(values.has_value()) << values.error().message;
      for (const float value : *values) ASSERT_LT(std::abs(value), 1000.0F) << path << " " << name;
    }
  }
}

}  // namespace
}  // namespace sida::model
