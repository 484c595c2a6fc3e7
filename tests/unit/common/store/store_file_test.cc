// Blocks are what was written, or an error that names them.
#include "common/store/store_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_store.h"

namespace sida::store {
namespace {

using testing::HasSubstr;

// Experts of 1.5 MiB, so that a block takes two reads, the last of them short.
model::Blueprint two_read_blueprint() {
  model::Blueprint blueprint = test::tiny_blueprint();
  blueprint.config.d_model = 64;
  blueprint.config.d_ff = 3008;
  blueprint.config.dtype = DType::kFloat32;
  return blueprint;
}

// Which pages of a file are in the page cache.
class CachedPages {
 public:
  explicit CachedPages(const std::filesystem::path& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), bytes_(std::filesystem::file_size(path)) {
    memory_ = ::mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, descriptor_, 0);
    SIDA_CHECK(memory_ != MAP_FAILED);
  }
  CachedPages(const CachedPages&) = delete;
  CachedPages& operator=(const CachedPages&) = delete;
  ~CachedPages() {
    ::munmap(memory_, bytes_);
    ::close(descriptor_);
  }

  [[nodiscard]] std::size_t among(std::uint64_t offset, std::uint64_t bytes) const {
    std::vector<unsigned char> pages(bytes / model::kStoreAlignment);
    SIDA_CHECK(::mincore(static_cast<std::byte*>(memory_) + offset, bytes, pages.data()) == 0);
    return static_cast<std::size_t>(std::ranges::count_if(pages, [](unsigned char page) { return (page & 1U) != 0; }));
  }
  void drop() const { ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED); }

 private:
  int descriptor_;
  std::size_t bytes_;
  void* memory_ = nullptr;
};

class StoreFileTest : public testing::Test {
 protected:
  StoreFileTest() {
    test::write_model(folder_.path() / "model", two_read_blueprint());
    test::write_store(folder_.path() / "model", folder_.path() / "store");
    model_ = model::ModelDirectory::open(folder_.path() / "store").value();
    block_bytes_ = model_.store()->geometry.stride_bytes();
    // One more page, of which the aligned part is used.
    memory_.resize(block_bytes_ + model::kStoreAlignment);
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    block_ = std::span(memory_).subspan(
        (model::kStoreAlignment - address % model::kStoreAlignment) % model::kStoreAlignment, block_bytes_);
  }

  [[nodiscard]] std::filesystem::path data_path() const { return folder_.path() / "store" / model::kStoreDataFile; }

  Result<void> read(const StoreFile& file, ExpertKey key) {
    BlockRead read;
    while (true) {
      const auto whole = file.read_next(key, read, block_);
      if (!whole) return tl::unexpected(whole.error());
      if (*whole) return {};
    }
  }

  void flip_a_bit(std::uint64_t offset) const {
    std::fstream file(data_path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ 4));
    SIDA_CHECK(file.good());
  }

  test::TemporaryDirectory folder_;
  model::ModelDirectory model_;
  std::uint64_t block_bytes_ = 0;
  std::vector<std::byte> memory_;
  std::span<std::byte> block_;
};

constexpr ExpertKey kExpert{LayerId{1}, ExpertId{2}};

TEST_F(StoreFileTest, ReadsTheSameBytesEitherWay) {
  const auto buffered = StoreFile::open(model_, ReadMethod::kBuffered);
  ASSERT_TRUE(buffered) << buffered.error().message;
  ASSERT_TRUE(read(*buffered, kExpert));
  const std::vector<std::byte> expected(block_.begin(), block_.end());
  std::ranges::fill(block_, std::byte{0});
  const auto direct = StoreFile::open(model_, ReadMethod::kDirect);
  if (!direct) GTEST_SKIP() << "no direct reads here: " << direct.error().message;
  ASSERT_TRUE(read(*direct, kExpert));
  EXPECT_TRUE(std::ranges::equal(block_, expected));
}

TEST_F(StoreFileTest, TakesAsManyReadsAsABlockHasPieces) {
  const auto file = StoreFile::open(model_);
  ASSERT_TRUE(file);
  BlockRead read;
  EXPECT_EQ(file->read_next(kExpert, read, block_), Result<bool>(false));
  EXPECT_EQ(read.bytes_done(), kReadBytes);
  EXPECT_EQ(file->read_next(kExpert, read, block_), Result<bool>(true));
}

TEST_F(StoreFileTest, LeavesNothingOfAnAbandonedBlockInThePageCache) {
  const auto file = StoreFile::open(model_, ReadMethod::kBuffered);
  ASSERT_TRUE(file);
  const CachedPages cached(data_path());
  const std::uint64_t block = model_.store()->geometry.index(kExpert) * block_bytes_;
  cached.drop();
  if (cached.among(block, block_bytes_) > 0) GTEST_SKIP() << "this file system keeps its pages";
  BlockRead read;
  ASSERT_EQ(file->read_next(kExpert, read, block_), Result<bool>(false));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (cached.among(block + kReadBytes, block_bytes_ - kReadBytes) == 0) {  // The disk fetches in its own time.
    if (std::chrono::steady_clock::now() > deadline) GTEST_SKIP() << "this file system fetches nothing ahead";
    std::this_thread::yield();
  }
  while (cached.among(block, block_bytes_) > 0 && std::chrono::steady_clock::now() < deadline) {
    file->abandon(kExpert, read);  // Pages that are just arriving stay.
  }
  EXPECT_EQ(cached.among(block, block_bytes_), 0U);
}

TEST_F(StoreFileTest, MeasuresAFileOfSomeSize) {
  const auto small = StoreFile::open(model_);
  ASSERT_TRUE(small);
  EXPECT_EQ(small->method(), ReadMethod::kBuffered);
  EXPECT_FALSE(small->rates().buffered.has_value());
  EXPECT_LE(small->cache_bytes(), block_bytes_);
}

TEST_F(StoreFileTest, AFlippedBitIsFoundInItsBlockAndNoOther) {
  flip_a_bit(model_.store()->geometry.index(kExpert) * block_bytes_ + 1'200'000);
  const auto file = StoreFile::open(model_);
  ASSERT_TRUE(file);
  const auto damaged = read(*file, kExpert);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(damaged.error().message, HasSubstr("experts.bin: expert 2 of MoE layer 1: its checksum is wrong"));
  EXPECT_THAT(damaged.error().message, HasSubstr("sida convert"));
  EXPECT_TRUE(read(*file, {LayerId{1}, ExpertId{1}}));
}

TEST_F(StoreFileTest, ATruncatedFileIsNotOpened) {
  std::filesystem::resize_file(data_path(), std::filesystem::file_size(data_path()) - 1);
  const auto file = StoreFile::open(model_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(file.error().message, HasSubstr("experts.bin: has"));
}

TEST_F(StoreFileTest, AMissingFileIsAnInvalidModel) {
  std::filesystem::remove(data_path());
  const auto file = StoreFile::open(model_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kInvalidModel);
}

TEST_F(StoreFileTest, AFileCutShortWhileItIsOpenFailsTheBlocksBehindTheCut) {
  const auto file = StoreFile::open(model_);
  ASSERT_TRUE(file);
  std::filesystem::resize_file(data_path(), block_bytes_);
  EXPECT_TRUE(read(*file, {LayerId{0}, ExpertId{0}}));
  const auto cut = read(*file, kExpert);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(cut.error().message, HasSubstr("expert 2 of MoE layer 1: the file was cut short"));
}

TEST_F(StoreFileTest, ADeletedFileIsStillRead) {
  const auto file = StoreFile::open(model_);
  ASSERT_TRUE(file);
  std::filesystem::remove_all(folder_.path() / "store");
  EXPECT_TRUE(read(*file, kExpert));
}

TEST(StoreFile, ComparesBothWaysOfReadingALargeFile) {
  const test::TemporaryDirectory folder;
  model::Blueprint blueprint = two_read_blueprint();
  blueprint.config.num_experts = 8;  // 36 MiB.
  test::write_model(folder.path() / "model", blueprint);
  test::write_store(folder.path() / "model", folder.path() / "store");
  const auto model = model::ModelDirectory::open(folder.path() / "store");
  ASSERT_TRUE(model);
  const auto file = StoreFile::open(*model);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->rates().buffered.has_value());
  EXPECT_EQ(file->method(), choose_read_method(file->rates()));
}

}  // namespace
}  // namespace sida::store
