// Experts in pieces: what is in a slot afterwards does not depend on what else was read in between.
#include "expert-worker/residency/expert_loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_store.h"

namespace sida::worker {
namespace {

class ExpertLoaderTest : public testing::Test {
 protected:
  ExpertLoaderTest() {
    test::write_model(directory_.path() / "model", test::tiny_blueprint());
    auto model = model::ModelDirectory::open(directory_.path() / "model");
    SIDA_CHECK(model.has_value());
    model_ = *std::move(model);
    auto memory = SlotMemory::reserve({model_.config().d_model, model_.config().d_ff, DType::kFloat32}, 3);
    SIDA_CHECK(memory.has_value());
    memory_.emplace(*std::move(memory));
  }

  [[nodiscard]] bool same(SlotId a, SlotId b) const {
    return std::ranges::equal(memory_->wi(a), memory_->wi(b)) && std::ranges::equal(memory_->wo(a), memory_->wo(b));
  }

  test::TemporaryDirectory directory_;
  model::ModelDirectory model_;
  std::optional<SlotMemory> memory_;
};

TEST_F(ExpertLoaderTest, ALoadMayPauseForAnother) {
  const ExpertKey prefetched{LayerId{0}, ExpertId{1}};
  const ExpertKey demanded{LayerId{1}, ExpertId{2}};
  ExpertLoader loader(model_, *memory_);

  ExpertLoad first = loader.begin(prefetched, SlotId{0});
  ASSERT_EQ(loader.step(first), Result<bool>(false));
  ASSERT_TRUE(loader.load(demanded, SlotId{1}));
  Result<bool> whole = loader.step(first);
  while (whole && !*whole) whole = loader.step(first);
  ASSERT_TRUE(whole);

  ASSERT_TRUE(loader.load(prefetched, SlotId{2}));
  EXPECT_TRUE(same(SlotId{0}, SlotId{2}));
  EXPECT_FALSE(same(SlotId{1}, SlotId{2}));
}

TEST(ExpertLoader, ReadsLargeMatricesInBandsThatMakeUpTheWhole) {
  const test::TemporaryDirectory directory;
  model::Blueprint blueprint = test::tiny_blueprint();
  blueprint.config.d_model = 512;
  blueprint.config.d_ff = 1100;  // 2.1 MiB a matrix, and the last band is smaller.
  test::write_model(directory.path() / "model", blueprint);
  const auto model = model::ModelDirectory::open(directory.path() / "model").value();
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    auto memory = SlotMemory::reserve({512, 1100, dtype}, 1);
    ASSERT_TRUE(memory);
    ExpertLoader loader(model, *memory);
    EXPECT_GT(loader.pieces(), 2U);
    const ExpertKey key{LayerId{1}, ExpertId{2}};
    ExpertLoad load = loader.begin(key, SlotId{0});
    for (std::size_t piece = 1; piece < loader.pieces(); ++piece) ASSERT_EQ(loader.step(load), Result<bool>(false));
    ASSERT_EQ(loader.step(load), Result<bool>(true));

    const model::ExpertTensors tensors = model.expert(key);
    for (const auto& [tensor, slot] :
         {std::pair(tensors.wi, memory->wi(SlotId{0})), std::pair(tensors.wo, memory->wo(SlotId{0}))}) {
      const auto stored = model.weights().read_bytes(*tensor);
      ASSERT_TRUE(stored);
      std::vector<std::byte> packed(slot.size());
      pack(stored->data(), tensor->dtype, tensor->shape[0], tensor->shape[1], dtype, packed);
      EXPECT_TRUE(std::ranges::equal(packed, slot)) << tensor->name;
    }
  }
}

TEST_F(ExpertLoaderTest, AStoreGivesTheBytesOfTheModelThatItWasMadeFrom) {
  test::write_store(directory_.path() / "model", directory_.path() / "store");
  const auto stored = model::ModelDirectory::open(directory_.path() / "store").value();
  const auto file = store::StoreFile::open(stored);
  ASSERT_TRUE(file);
  for (const ExpertKey key : {ExpertKey{LayerId{0}, ExpertId{1}}, ExpertKey{LayerId{2}, ExpertId{2}}}) {
    ASSERT_TRUE(ExpertLoader(model_, *memory_).load(key, SlotId{0}));
    ASSERT_TRUE(ExpertLoader(stored, *memory_, &*file).load(key, SlotId{1}));
    EXPECT_TRUE(same(SlotId{0}, SlotId{1}));
  }
}

TEST_F(ExpertLoaderTest, ADamagedBlockFailsTheLoad) {
  test::write_store(directory_.path() / "model", directory_.path() / "store");
  const auto stored = model::ModelDirectory::open(directory_.path() / "store").value();
  std::fstream data(directory_.path() / "store" / model::kStoreDataFile, std::ios::in | std::ios::out);
  data.seekp(static_cast<std::streamoff>(stored.store()->geometry.stride_bytes()));
  data.put('x');
  data.close();
  const auto file = store::StoreFile::open(stored);
  ASSERT_TRUE(file);
  ExpertLoader loader(stored, *memory_, &*file);
  ASSERT_TRUE(loader.load({LayerId{0}, ExpertId{0}}, SlotId{0}));
  const auto damaged = loader.load({LayerId{0}, ExpertId{1}}, SlotId{0});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kInvalidModel);
}

TEST_F(ExpertLoaderTest, AFileCutShortFailsTheLoadAndNamesFileAndTensor) {
  std::filesystem::resize_file(directory_.path() / "model" / "model.safetensors", 100);
  ExpertLoader loader(model_, *memory_);
  const auto loaded = loader.load({LayerId{0}, ExpertId{1}}, SlotId{0});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidModel);
  EXPECT_NE(loaded.error().message.find("model.safetensors"), std::string::npos);
  EXPECT_NE(loaded.error().message.find("expert_1.wi"), std::string::npos);
}

}  // namespace
}  // namespace sida::worker
