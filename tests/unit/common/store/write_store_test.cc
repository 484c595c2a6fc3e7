// A store holds the model that it was made from, however it was made.
#include "common/store/write_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "common/model/compute_dtype.h"
#include "common/store/random_source.h"
#include "common/store/write_safetensors.h"
#include "common/tensor/packed_matrix.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_store.h"

namespace sida::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Each file's bytes by its path within.
std::map<std::string, std::string> contents_of(const fs::path& directory) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) contents[fs::relative(entry.path(), directory)] = bytes_of(entry.path());
  }
  return contents;
}

// What a worker without a store has in its slot.
std::string packed_expert(const model::ModelDirectory& model, ExpertKey key, DType dtype) {
  std::string block;
  const model::ExpertTensors tensors = model.expert(key);
  for (const model::TensorInfo* tensor : {tensors.wi, tensors.wo}) {
    const auto stored = model.weights().read_bytes(*tensor).value();
    std::vector<std::byte> packed(packed_bytes(tensor->shape[0], tensor->shape[1], dtype));
    pack(stored.data(), tensor->dtype, tensor->shape[0], tensor->shape[1], dtype, packed);
    block.append(reinterpret_cast<const char*>(packed.data()), packed.size());
  }
  return block;
}

struct Form {
  const char* name;
  DType stored;
  DType dtype;
  model::WeightFormat format;
  std::uint64_t shard_bytes_max;
};

class WriteStoreForms : public testing::TestWithParam<Form> {};

TEST_P(WriteStoreForms, HoldsTheModelThatItWasMadeFrom) {
  const test::TemporaryDirectory folder;
  model::Blueprint blueprint = test::tiny_blueprint();
  blueprint.config.dtype = GetParam().stored;
  test::write_model(folder.path() / "model", blueprint,
                    {.format = GetParam().format, .shard_bytes_max = GetParam().shard_bytes_max});
  test::write_store(folder.path() / "model", folder.path() / "store", GetParam().dtype);

  const auto model = model::ModelDirectory::open(folder.path() / "model").value();
  const auto store = model::ModelDirectory::open(folder.path() / "store");
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(store->fingerprint(), model.fingerprint());
  EXPECT_EQ(store->config().dtype, model.config().dtype);
  EXPECT_EQ(model::compute_dtype("auto", *store), GetParam().dtype);
  EXPECT_TRUE(store->warnings().empty());
  for (const auto& [name, info] : store->weights().tensors()) {
    EXPECT_EQ(store->weights().read_bytes(info), model.weights().read_bytes(model.tensor(name))) << name;
  }
  const std::string data = bytes_of(folder.path() / "store" / model::kStoreDataFile);
  const model::StoreGeometry& geometry = store->store()->geometry;
  for (std::uint64_t i = 0; i < geometry.experts(); ++i) {
    EXPECT_EQ(data.substr(i * geometry.stride_bytes(), geometry.block_bytes()),
              packed_expert(model, geometry.key(i), GetParam().dtype));
  }
  EXPECT_FALSE(fs::exists(folder.path() / "store.partial"));
}

INSTANTIATE_TEST_SUITE_P(
    All, WriteStoreForms,
    testing::Values(
        Form{"fp32", DType::kFloat32, DType::kFloat32, model::WeightFormat::kSafetensors, 1U << 30U},
        Form{"fp32_as_bf16", DType::kFloat32, DType::kBFloat16, model::WeightFormat::kSafetensors, 2000},
        Form{"bf16_bin", DType::kBFloat16, DType::kBFloat16, model::WeightFormat::kTorchCheckpoint, 1U << 30U},
        Form{"bf16_as_fp32", DType::kBFloat16, DType::kFloat32, model::WeightFormat::kTorchCheckpoint, 2000},
        Form{"fp16", DType::kFloat16, DType::kFloat32, model::WeightFormat::kSafetensors, 1U << 30U}),
    [](const auto& information) { return information.param.name; });

TEST(WriteStore, FromASeedEqualsThatOfTheModelFromThatSeed) {
  for (const bool hash_routing : {false, true}) {
    const test::TemporaryDirectory folder;
    model::Blueprint blueprint = test::tiny_blueprint();
    blueprint.config.dtype = DType::kBFloat16;
    blueprint.config.hash_routing = hash_routing;
    test::write_model(folder.path() / "model", blueprint, {.seed = 5});
    test::write_store(folder.path() / "model", folder.path() / "converted", DType::kBFloat16);
    RandomSource source(blueprint, 5);
    ASSERT_TRUE(write_store(folder.path() / "made", source, 1, nullptr));
    EXPECT_EQ(contents_of(folder.path() / "made"), contents_of(folder.path() / "converted"));
  }
}

TEST(WriteStore, CopiesTokeniserAndPredictorButNotWhatElseLiesThere) {
  const test::TemporaryDirectory folder;
  test::write_model(folder.path() / "model", test::tiny_blueprint());
  folder.write("model/spiece.model", "pieces");
  folder.write("model/optimizer.pt", "large");
  fs::create_directory(folder.path() / "model" / "predictor");
  folder.write("model/predictor/predictor.json", "{}");
  test::write_store(folder.path() / "model", folder.path() / "store");
  const auto contents = contents_of(folder.path() / "store");
  EXPECT_EQ(contents.at("spiece.model"), "pieces");
  EXPECT_EQ(contents.at("predictor/predictor.json"), "{}");
  EXPECT_FALSE(contents.contains("optimizer.pt"));
}

TEST(WriteStore, PassesByLinksThatLeadNowhere) {
  const test::TemporaryDirectory folder;
  test::write_model(folder.path() / "model", test::tiny_blueprint());
  fs::create_directory(folder.path() / "model" / "predictor");
  fs::create_symlink("loop", folder.path() / "model" / "predictor" / "loop");
  fs::create_symlink("gone", folder.path() / "model" / "predictor" / "dangling");
  test::write_store(folder.path() / "model", folder.path() / "store");
  EXPECT_TRUE(fs::is_empty(folder.path() / "store" / "predictor"));
}

class InterruptedWriteStore : public testing::Test {
 protected:
  InterruptedWriteStore() : whole_(blueprint(), 1), source_(blueprint(), 1) {
    SIDA_CHECK(write_store(folder_.path() / "whole", whole_, 1, nullptr).has_value());
  }
  static model::Blueprint blueprint() {
    model::Blueprint blueprint = test::tiny_blueprint();
    blueprint.config.dtype = DType::kFloat32;
    return blueprint;
  }
  [[nodiscard]] fs::path destination() const { return folder_.path() / "dst"; }
  [[nodiscard]] fs::path partial_data() const { return folder_.path() / "dst.partial" / model::kStoreDataFile; }

  // Stops when all but `left` bytes are written.
  void interrupt(std::uint64_t left) {
    const auto stopped = write_store(destination(), source_, 1,
                                     [left](std::uint64_t done, std::uint64_t total) { return done + left < total; });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
    EXPECT_FALSE(fs::exists(destination()));
  }

  // The bytes that the next run found done. It must end in the same store.
  std::uint64_t go_on() {
    std::optional<std::uint64_t> found;
    const auto done = write_store(destination(), source_, 1, [&](std::uint64_t bytes, std::uint64_t) {
      if (!found) found = bytes;
      return true;
    });
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_EQ(contents_of(destination()), contents_of(folder_.path() / "whole"));
    return found.value_or(0);
  }

  test::TemporaryDirectory folder_;
  RandomSource whole_;
  RandomSource source_;
};

TEST_F(InterruptedWriteStore, GoesOnBehindTheLastWholeBlock) {
  const std::uint64_t stride = source_.contents().geometry.stride_bytes();
  interrupt(2 * stride);
  const std::uint64_t experts = source_.contents().geometry.experts();
  EXPECT_GE(go_on(), (experts - 4) * stride);
}

TEST_F(InterruptedWriteStore, WritesABlockAgainThatIsNotOnTheDiskAsNoted) {
  const std::uint64_t stride = source_.contents().geometry.stride_bytes();
  interrupt(stride);
  std::fstream file(partial_data(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(2 * stride + 10));
  file.put('x');
  file.close();
  EXPECT_EQ(go_on(), 2 * stride);
}

TEST_F(InterruptedWriteStore, WritesBlocksAgainThatWereNotedButAreNotThere) {
  const std::uint64_t stride = source_.contents().geometry.stride_bytes();
  interrupt(stride);
  fs::resize_file(partial_data(), 3 * stride + 1);
  EXPECT_EQ(go_on(), 3 * stride);
}

TEST_F(InterruptedWriteStore, BeginsAnewForAnotherModel) {
  interrupt(source_.contents().geometry.stride_bytes());
  RandomSource other(blueprint(), 2);
  ASSERT_TRUE(write_store(destination(), other, 1, nullptr));
  ASSERT_TRUE(write_store(folder_.path() / "other", other, 1, nullptr));
  EXPECT_EQ(contents_of(destination()), contents_of(folder_.path() / "other"));
}

TEST(WriteStore, RefusesWhatDoesNotFitOnTheDiskBeforeWriting) {
  const test::TemporaryDirectory folder;
  model::Blueprint blueprint = test::tiny_blueprint();
  blueprint.config.d_model = 1 << 20;
  blueprint.config.d_ff = 1 << 20;
  RandomSource source(blueprint, 1);
  const auto written = write_store(folder.path() / "store", source, 1, nullptr);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kIo);
  EXPECT_THAT(written.error().message, HasSubstr("are free; make room"));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

class WriteSafetensors : public testing::Test {
 protected:
  WriteSafetensors() {
    model::Blueprint blueprint = test::tiny_blueprint();
    blueprint.config.dtype = DType::kFloat32;
    blueprint.config.hash_routing = true;
    test::write_model(folder_.path() / "model", blueprint);
    model_ = model::ModelDirectory::open(folder_.path() / "model").value();
  }
  [[nodiscard]] model::ModelDirectory written() const {
    return model::ModelDirectory::open(folder_.path() / "dst").value();
  }

  test::TemporaryDirectory folder_;
  model::ModelDirectory model_;
};

TEST_F(WriteSafetensors, KeepsEveryByteInTheSameType) {
  ASSERT_TRUE(write_safetensors(folder_.path() / "dst", model_, {.shard_bytes_max = 2000}, nullptr));
  EXPECT_TRUE(fs::exists(folder_.path() / "dst" / "model.safetensors.index.json"));
  EXPECT_EQ(written().fingerprint(), model_.fingerprint());
  for (const auto& [name, info] : model_.weights().tensors()) {
    EXPECT_EQ(written().weights().read_bytes(*written().weights().find(name)), model_.weights().read_bytes(info));
  }
}

TEST_F(WriteSafetensors, RoundsToAnotherTypeButNotTables) {
  ASSERT_TRUE(write_safetensors(folder_.path() / "dst", model_, {.dtype = DType::kBFloat16}, nullptr));
  const model::ModelDirectory rounded = written();
  EXPECT_EQ(rounded.config().dtype, DType::kBFloat16);
  EXPECT_TRUE(rounded.warnings().empty());
  for (const auto& [name, info] : model_.weights().tensors()) {
    const model::TensorInfo& tensor = *rounded.weights().find(name);
    if (info.dtype == DType::kInt16) {
      EXPECT_EQ(rounded.weights().read_bytes(tensor), model_.weights().read_bytes(info)) << name;
      continue;
    }
    auto expected = model_.weights().read_as_fp32(info).value();
    for (float& value : expected) value = round_to_bfloat16(value);
    EXPECT_EQ(rounded.weights().read_as_fp32(tensor), expected) << name;
  }
}

TEST_F(WriteSafetensors, GoesOnBehindTheLastWholeShard) {
  const WriteSafetensorsOptions options{.shard_bytes_max = 2000};
  const auto stopped = write_safetensors(folder_.path() / "dst", model_, options,
                                         [](auto done, auto total) { return done < total / 2; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  std::optional<std::uint64_t> found;
  ASSERT_TRUE(write_safetensors(folder_.path() / "dst", model_, options, [&](auto done, auto) {
    if (!found) found = done;
    return true;
  }));
  EXPECT_GT(found.value_or(0), 0U);
  EXPECT_EQ(written().fingerprint(), model_.fingerprint());
}

TEST(DirectorySource, RefusesAStore) {
  const test::TemporaryDirectory folder;
  test::write_model(folder.path() / "model", test::tiny_blueprint());
  test::write_store(folder.path() / "model", folder.path() / "store");
  const auto source =
      DirectorySource::make(model::ModelDirectory::open(folder.path() / "store").value(), DType::kFloat32, {});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, ErrorCode::kInvalidArgument);
}

TEST(StoreDirectory, IsRefusedBesideTheWeightsOfAnotherModel) {
  const test::TemporaryDirectory folder;
  test::write_model(folder.path() / "a", test::tiny_blueprint(), {.seed = 1});
  test::write_model(folder.path() / "b", test::tiny_blueprint(), {.seed = 2});
  test::write_store(folder.path() / "a", folder.path() / "store");
  test::write_store(folder.path() / "b", folder.path() / "other");
  fs::copy_file(folder.path() / "other" / "model.safetensors", folder.path() / "store" / "model.safetensors",
                fs::copy_options::overwrite_existing);
  const auto store = model::ModelDirectory::open(folder.path() / "store");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(store.error().message, HasSubstr("experts.json: is of another model"));
}

TEST(StoreDirectory, IsRefusedWhenItsGeometryIsNotTheModels) {
  const test::TemporaryDirectory folder;
  test::write_model(folder.path() / "model", test::tiny_blueprint());
  test::write_store(folder.path() / "model", folder.path() / "store");
  auto manifest = *model::ModelDirectory::open(folder.path() / "store").value().store();
  manifest.geometry.experts_per_layer = 2;
  manifest.checksums.resize(manifest.geometry.experts());
  manifest.source_dtypes.resize(2 * manifest.geometry.experts());
  folder.write("store/experts.json", to_json(manifest));
  const auto store = model::ModelDirectory::open(folder.path() / "store");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(store.error().message, HasSubstr("'experts_per_layer' is 2, the model beside it has 3"));
}

TEST(StoreDirectory, IsComputedInTheTypeOfItsBlocks) {
  const test::TemporaryDirectory folder;
  test::write_model(folder.path() / "model", test::tiny_blueprint());
  test::write_store(folder.path() / "model", folder.path() / "store", DType::kBFloat16);
  const auto store = model::ModelDirectory::open(folder.path() / "store").value();
  EXPECT_EQ(model::compute_dtype("bf16", store), DType::kBFloat16);
  const auto other = model::compute_dtype("fp32", store);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(other.error().message, HasSubstr("sida convert --dtype fp32"));
}

}  // namespace
}  // namespace sida::store
