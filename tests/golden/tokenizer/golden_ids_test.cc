// The committed answers of the Python packages, without Python.
#include <gtest/gtest.h>
#include <sodium.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "common/tokenizer/spiece_model.h"
#include "common/tokenizer/tokenizer_json.h"

namespace sida::tokenizer {
namespace {

const std::string kFolder = std::string(SIDA_SOURCE_DIR) + "/tests/golden/tokenizer/";

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  return bytes.str();
}

const nlohmann::json& golden() {
  static const auto json = nlohmann::json::parse(read_file(kFolder + "golden_ids.json"));
  return json;
}

std::string input_of(const nlohmann::json& entry) {
  if (entry.contains("text")) {
    return entry["text"];
  }
  const std::string hex = entry["hex"];
  std::string bytes(hex.size() / 2, '\0');
  sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), hex.data(), hex.size(), nullptr, nullptr,
                 nullptr);
  return bytes;
}

class GoldenIds : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string bytes = read_file(kFolder + GetParam());
    auto read = GetParam().ends_with(".json") ? read_tokenizer_json(bytes) : read_spiece_model(bytes);
    ASSERT_TRUE(read) << read.error().message;
    tokenizer_ = *std::move(read);
    ASSERT_FALSE(golden()[GetParam()].empty());
  }

  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(GoldenIds, EncodingGivesTheIdsOfThePythonPackages) {
  for (const auto& entry : golden()[GetParam()]) {
    EXPECT_EQ(tokenizer_->encode(input_of(entry), true), entry["ids"].get<std::vector<std::int32_t>>()) << entry;
  }
}

TEST_P(GoldenIds, DecodingGivesTheTextOfThePythonPackages) {
  for (const auto& entry : golden()[GetParam()]) {
    if (entry.contains("decoded")) {
      const auto ids = entry["ids"].get<std::vector<std::int32_t>>();
      EXPECT_EQ(tokenizer_->decode(ids, false), entry["decoded"]) << entry;
      EXPECT_EQ(tokenizer_->decode(ids, true), entry["without_special"]) << entry;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenIds,
                         testing::Values("spiece.model", "t5.json", "t5_first.json", "metaspace_legacy.json",
                                         "whitespace_split.json", "first_word.json", "byte_fallback.json"),
                         [](const auto& file) { return file.param.substr(0, file.param.find('.')); });

}  // namespace
}  // namespace sida::tokenizer
