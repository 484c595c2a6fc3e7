// What a manifest may say, and what is damage.
#include "common/model/store_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace sida::model {
namespace {

using nlohmann::json;
using testing::HasSubstr;

StoreManifest example() {
  StoreManifest manifest{
      .geometry = {.dtype = DType::kBFloat16, .d_model = 8, .d_ff = 12, .moe_layers = 2, .experts_per_layer = 3},
      .source_dtypes = std::vector<DType>(12, DType::kFloat32),
      .checksums = {1, 2, 3, 4, 5, 0xfedcba9876543210U}};
  manifest.model.fill(0xab);
  manifest.tokenizer[31] = 7;
  manifest.source_dtypes[5] = DType::kFloat16;
  return manifest;
}

TEST(StoreGeometry, PutsEveryBlockOnAPage) {
  const StoreGeometry geometry = example().geometry;
  EXPECT_EQ(geometry.block_bytes(), 64U * 8 * 2 + 64U * 12 * 2);  // Outputs are padded to panels of 64.
  EXPECT_EQ(geometry.stride_bytes(), kStoreAlignment);
  EXPECT_EQ(geometry.data_bytes(), 6 * kStoreAlignment);
  EXPECT_EQ(geometry.index({LayerId(1), ExpertId(2)}), 5U);
  EXPECT_EQ(geometry.key(5), (ExpertKey{LayerId(1), ExpertId(2)}));
}

TEST(StoreManifest, IsReadBackAsWritten) {
  EXPECT_EQ(parse_store_manifest(to_json(example())), example());
}

TEST(StoreManifest, MayHoldABlockLongerThanAPage) {
  StoreManifest manifest = example();
  manifest.geometry.dtype = DType::kFloat32;
  manifest.geometry.d_ff = 1000;
  EXPECT_EQ(parse_store_manifest(to_json(manifest)), manifest);
  EXPECT_EQ(manifest.geometry.stride_bytes() % kStoreAlignment, 0U);
  EXPECT_GE(manifest.geometry.stride_bytes(), manifest.geometry.block_bytes());
}

struct Lie {
  const char* name;
  std::function<void(json&)> tell;
  const char* said;  // In the message.
};

class StoreManifestLies : public testing::TestWithParam<Lie> {};

TEST_P(StoreManifestLies, AreRefused) {
  json manifest = json::parse(to_json(example()));
  GetParam().tell(manifest);
  const auto parsed = parse_store_manifest(manifest.dump());
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(parsed.error().message, HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    All, StoreManifestLies,
    testing::Values(
        Lie{"format", [](json& m) { m["format"] = "zip"; }, "'format' is 'zip'"},
        Lie{"version", [](json& m) { m["version"] = 2; }, "version 2"},
        Lie{"version_text", [](json& m) { m["version"] = "1"; }, "unexpected text in 'version'"},
        Lie{"layout", [](json& m) { m["layout"] = "panels-32"; }, "make the store again"},
        Lie{"layout_of_another_kernel", [](json& m) { m["layout"] = "amx-tiles"; }, "layout 'amx-tiles'"},
        Lie{"dtype", [](json& m) { m["dtype"] = "fp16"; }, "not fp32 or bf16"},
        Lie{"dtype_other", [](json& m) { m["dtype"] = "fp32"; }, "layout"},
        Lie{"checksum", [](json& m) { m["checksum"] = "crc32"; }, "'checksum' is 'crc32'"},
        Lie{"negative", [](json& m) { m["d_model"] = -8; }, "unexpected negative number"},
        Lie{"zero", [](json& m) { m["d_ff"] = 0; }, "'d_ff' is 0"},
        Lie{"fraction", [](json& m) { m["d_ff"] = 12.5; }, "unexpected number"},
        Lie{"huge", [](json& m) { m["moe_layers"] = UINT64_MAX; }, "'moe_layers'"},
        Lie{"huge_width", [](json& m) { m["d_model"] = 1 << 21; }, "not from 1 to"},
        Lie{"overflow",
            [](json& m) {
              m["d_model"] = m["d_ff"] = 1 << 20;
              m["moe_layers"] = 1 << 11;
              m["experts_per_layer"] = 1 << 16;
            },
            "overflow"},
        Lie{"alignment", [](json& m) { m["alignment"] = 512; }, "'alignment' is 512"},
        Lie{"block", [](json& m) { m["block_bytes"] = 1; }, "'block_bytes' is 1"},
        Lie{"overlap", [](json& m) { m["stride_bytes"] = 0; }, "'stride_bytes' is 0"},
        Lie{"beyond", [](json& m) { m["data_bytes"] = 1; }, "'data_bytes' is 1"},
        Lie{"checksums_missing", [](json& m) { m["checksums"].erase(0); }, "5 checksums for 6 experts"},
        Lie{"checksum_short", [](json& m) { m["checksums"][0] = "1"; }, "16 hexadecimal digits"},
        Lie{"checksum_letters", [](json& m) { m["checksums"][0] = "000000000000000G"; }, "16 hexadecimal digits"},
        Lie{"checksum_number", [](json& m) { m["checksums"][0] = 1; }, "unexpected number"},
        Lie{"dtypes_few", [](json& m) { m["source_dtypes"][0][1] = 4; }, "'source_dtypes' counts"},
        Lie{"dtypes_many", [](json& m) { m["source_dtypes"][0][1] = UINT64_MAX; }, "'source_dtypes' counts"},
        Lie{"dtypes_unknown", [](json& m) { m["source_dtypes"][0][0] = "int8"; }, "names 'int8'"},
        Lie{"dtypes_no_pair", [](json& m) { m["source_dtypes"][0] = json::array({"fp32"}); }, "a pair that is none"},
        Lie{"dtypes_flat",
            [](json& m) {
              m["source_dtypes"] = json::array({"fp32", 12});
            },
            "unexpected"},
        Lie{"model", [](json& m) { m["model"] = "ab"; }, "64 hexadecimal digits"},
        Lie{"missing", [](json& m) { m.erase("tokenizer"); }, "'tokenizer' is missing"},
        Lie{"missing_number", [](json& m) { m.erase("version"); }, "'version' is missing"},
        Lie{"unknown", [](json& m) { m["file"] = "/etc/passwd"; }, "unexpected text in 'file'"},
        Lie{"nested", [](json& m) { m["model"] = json::object(); }, "unexpected object"}),
    [](const auto& information) { return information.param.name; });

TEST(StoreManifest, RefusesWhatIsNoObject) {
  for (const char* text : {"", "[]", "null", "{", "{\"version\":1,\"version\":1}", "{}", "\xff"}) {
    const auto parsed = parse_store_manifest(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidModel) << text;
  }
}

}  // namespace
}  // namespace sida::model
