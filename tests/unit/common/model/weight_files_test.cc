#include "common/model/weight_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "common/model/safetensors_writer.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace sida::model {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string read_all(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string refusal(const fs::path& directory) {
  const auto weights = WeightFiles::open(directory);
  if (weights) return "accepted";
  EXPECT_EQ(weights.error().code, ErrorCode::kInvalidModel);
  return weights.error().message;
}

// A sharded tiny model, its index open to changes.
class Sharded {
 public:
  explicit Sharded(WeightFormat format = WeightFormat::kSafetensors)
      : index_name_(format == WeightFormat::kSafetensors ? "model.safetensors.index.json"
                                                         : "pytorch_model.bin.index.json") {
    test::write_model(path(), test::tiny_blueprint(), {.format = format, .shard_bytes_max = 2000});
    index = nlohmann::json::parse(read_all(path() / index_name_));
  }
  [[nodiscard]] fs::path path() const { return folder_.path() / "m"; }
  [[nodiscard]] std::string refusal_of(const std::string& text) const {
    std::ofstream(path() / index_name_) << text;
    return refusal(path());
  }
  [[nodiscard]] std::string refusal_after_change() const { return refusal_of(index.dump()); }

  nlohmann::json index;

 private:
  test::TemporaryDirectory folder_;
  std::string index_name_;
};

TEST(WeightFiles, ConvertsToFp32) {
  test::TemporaryDirectory folder;
  const std::vector<TensorToWrite> tensors{{.name = "b", .dtype = DType::kBFloat16, .shape = {2}, .aliases = {}},
                                           {.name = "f", .dtype = DType::kFloat32, .shape = {1}, .aliases = {}},
                                           {.name = "h", .dtype = DType::kFloat16, .shape = {1, 1}, .aliases = {}},
                                           {.name = "i", .dtype = DType::kInt16, .shape = {1}, .aliases = {}}};
  auto writer = create_safetensors(folder.path() / "model.safetensors", tensors).value();
  const float three = 3.0F;
  const std::array<std::uint16_t, 4> halves{0x3f80, 0xc000, 0x3c00, 1};
  const auto bytes = std::as_bytes(std::span(halves));
  ASSERT_TRUE(writer->append(bytes.first(4)).has_value());
  ASSERT_TRUE(writer->append(std::as_bytes(std::span(&three, 1))).has_value());
  ASSERT_TRUE(writer->append(bytes.subspan(4)).has_value());
  ASSERT_TRUE(writer->finish().has_value());

  const auto weights = WeightFiles::open(folder.path()).value();
  EXPECT_EQ(weights.read_as_fp32(*weights.find("b")).value(), (std::vector<float>{1.0F, -2.0F}));
  EXPECT_EQ(weights.read_as_fp32(*weights.find("f")).value(), std::vector<float>{3.0F});
  EXPECT_EQ(weights.read_as_fp32(*weights.find("h")).value(), std::vector<float>{1.0F});
  EXPECT_THAT(weights.read_as_fp32(*weights.find("i")).error().message, HasSubstr("tensor 'i' has dtype int16"));
}

TEST(WeightFiles, PrefersSafetensorsToACheckpoint) {
  test::TemporaryDirectory folder;
  test::write_model(folder.path() / "m", test::tiny_blueprint(), {.format = WeightFormat::kTorchCheckpoint});
  test::write_model(folder.path() / "n", test::tiny_blueprint());
  fs::rename(folder.path() / "n" / "model.safetensors", folder.path() / "m" / "model.safetensors");
  EXPECT_EQ(WeightFiles::open(folder.path() / "m").value().files().front().filename(), "model.safetensors");
}

TEST(WeightFiles, SaysThatGitLfsLeftAPointer) {
  test::TemporaryDirectory folder;
  folder.write("pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  EXPECT_THAT(refusal(folder.path()), HasSubstr("git lfs pull"));
}

TEST(WeightFiles, SaysWhatToDoAboutTheOldFormatOfTorch) {
  test::TemporaryDirectory folder;
  folder.write("pytorch_model.bin", "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
  EXPECT_THAT(refusal(folder.path()), HasSubstr("save it again with torch.save"));
}

TEST(WeightFiles, NamesTheFileThatWasCutShortAfterOpening) {
  test::TemporaryDirectory folder;
  test::write_model(folder.path() / "m", test::tiny_blueprint());
  const auto weights = WeightFiles::open(folder.path() / "m").value();
  fs::resize_file(folder.path() / "m" / "model.safetensors", 5000);
  const auto bytes = weights.read_bytes(*weights.find("shared.weight"));
  ASSERT_FALSE(bytes.has_value());
  EXPECT_EQ(bytes.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(bytes.error().message, HasSubstr("model.safetensors: tensor 'shared.weight': the file was cut short"));
}

TEST(ShardIndex, MustAgreeWithTheFiles) {
  Sharded extra;
  extra.index["weight_map"]["ghost"] = extra.index["weight_map"]["shared.weight"];
  EXPECT_THAT(extra.refusal_after_change(), HasSubstr("tensor 'ghost' is missing"));
  Sharded moved;
  moved.index["weight_map"]["shared.weight"] = moved.index["weight_map"].begin().value();
  EXPECT_THAT(moved.refusal_after_change(), HasSubstr("tensor 'shared.weight': the index does not place it here"));
  Sharded lacking;
  lacking.index["weight_map"].erase("shared.weight");
  EXPECT_NE(lacking.refusal_after_change(), "accepted");
}

TEST(ShardIndex, NamesTheMissingShard) {
  for (const WeightFormat format : {WeightFormat::kSafetensors, WeightFormat::kTorchCheckpoint}) {
    const Sharded sharded(format);
    const std::string shard = sharded.index["weight_map"]["shared.weight"];
    fs::remove(sharded.path() / shard);
    EXPECT_THAT(sharded.refusal_after_change(), HasSubstr(shard));
  }
}

TEST(ShardIndex, RefusesFileNamesWithAPath) {
  for (const char* name : {"/etc/passwd", "../m/model-00001-of-00002.safetensors", "a/b", "a\\b", "..", ".", ""}) {
    Sharded sharded;
    sharded.index["weight_map"]["shared.weight"] = name;
    EXPECT_THAT(sharded.refusal_after_change(), HasSubstr("tensor 'shared.weight'")) << name;
  }
  EXPECT_THAT(Sharded().refusal_of(R"({"weight_map":{"a":"b\u0000c"}})"), HasSubstr("not a plain file name"));
}

TEST(ShardIndex, RefusesDamage) {
  EXPECT_THAT(Sharded().refusal_of(R"({"weight_map":{"a":"f","a":"f"}})"), HasSubstr("tensor 'a' appears twice"));
  EXPECT_THAT(Sharded().refusal_of(R"({"weight_map":{"a":"f"},"weight_map":{}})"), HasSubstr("appears twice"));
  EXPECT_THAT(Sharded().refusal_of(R"({"weight_map":["a"]})"), HasSubstr("not a map"));
  EXPECT_THAT(Sharded().refusal_of(R"({"weight_map":{"a":{"b":"c"}}})"), HasSubstr("not a map"));
  EXPECT_THAT(Sharded().refusal_of(R"({"weight_map":{"a":1}})"), HasSubstr("not a map"));
  EXPECT_THAT(Sharded().refusal_of(R"({"weight_map":"a"})"), HasSubstr("not a map"));
  EXPECT_THAT(Sharded().refusal_of("{}"), HasSubstr("no 'weight_map'"));
  EXPECT_THAT(Sharded().refusal_of("\"a\""), HasSubstr("not a map"));
  EXPECT_THAT(Sharded().refusal_of("{\"metadata\":" + std::string(100'000, '[')), HasSubstr("nested too deeply"));
  EXPECT_THAT(Sharded().refusal_of("{"), HasSubstr("not valid JSON"));
}

// A pipe in place of the weights would otherwise hang the process.
TEST(WeightFiles, RefusesWhatIsNoRegularFile) {
  test::TemporaryDirectory folder;
  fs::create_directory(folder.path() / "model.safetensors");
  EXPECT_THAT(refusal(folder.path()), HasSubstr("not a regular file"));
}

class DamagedFile : public testing::TestWithParam<WeightFormat> {
 protected:
  DamagedFile() {
    Blueprint blueprint = test::tiny_blueprint();
    blueprint.encoder_layers = 2;
    test::write_model(folder_.path() / "m", blueprint, {.format = GetParam()});
    const char* name = GetParam() == WeightFormat::kSafetensors ? "model.safetensors" : "pytorch_model.bin";
    file_ = folder_.path() / "m" / name;
    whole_ = read_all(file_);
    const auto weights = WeightFiles::open(file_.parent_path()).value();
    for (const auto& [tensor, info] : weights.tensors()) boundaries_.insert({info.offset, info.offset + info.bytes});
  }

  Result<WeightFiles> open(const std::string& bytes) {
    fs::remove(file_);  // Overwriting in place waits for the disk on some file systems.
    std::ofstream(file_, std::ios::binary) << bytes;
    return WeightFiles::open(file_.parent_path());
  }

  test::TemporaryDirectory folder_;
  fs::path file_;
  std::string whole_;
  std::set<std::uint64_t> boundaries_;  // Where tensors begin and end.
};

TEST_P(DamagedFile, EveryTruncationAtABoundaryIsRefused) {
  std::set<std::uint64_t> cuts{0, 1, 3, 4, 7, 8, 9, 22, 30, whole_.size() - 22, whole_.size() - 21, whole_.size() - 1};
  for (const std::uint64_t at : boundaries_) cuts.insert({at - 1, at, at + 1});
  for (const std::uint64_t cut : cuts) {
    if (cut >= whole_.size()) continue;
    const auto weights = open(whole_.substr(0, cut));
    ASSERT_FALSE(weights.has_value()) << cut;
    EXPECT_THAT(weights.error().message, HasSubstr(file_.string()));
    EXPECT_EQ(weights.error().code, ErrorCode::kInvalidModel);
  }
}

// Whatever a flipped bit does, every tensor that is still answered lies in the file and can be read.
TEST_P(DamagedFile, AFlippedBitOutsideTheDataNeverLeadsOutsideTheFile) {
  std::vector<bool> is_data(whole_.size());
  for (auto at = boundaries_.begin(); at != boundaries_.end() && std::next(at) != boundaries_.end(); ++at) {
    const std::uint64_t gap = *std::next(at) - *at;
    if (gap > 128) std::fill_n(is_data.begin() + static_cast<std::ptrdiff_t>(*at), gap, true);
  }
  for (std::size_t byte = 0; byte < whole_.size(); byte += 3) {
    if (is_data[byte]) continue;
    std::string damaged = whole_;
    damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << (byte % 8)));
    const auto weights = open(damaged);
    if (!weights) {
      EXPECT_EQ(weights.error().code, ErrorCode::kInvalidModel) << byte;
      continue;
    }
    for (const auto& [name, info] : weights->tensors()) EXPECT_TRUE(weights->read_bytes(info).has_value()) << byte;
  }
}

INSTANTIATE_TEST_SUITE_P(All, DamagedFile, testing::Values(WeightFormat::kSafetensors, WeightFormat::kTorchCheckpoint),
                         [](const auto& information) {
                           return information.param == WeightFormat::kSafetensors ? "Safetensors" : "TorchCheckpoint";
                         });

}  // namespace
}  // namespace sida::model
