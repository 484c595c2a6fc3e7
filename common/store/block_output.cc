#include "common/store/block_output.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "common/model/store_manifest.h"

namespace sida::store {
namespace {

constexpr std::size_t kBufferBytes = 8U << 20U;
constexpr std::uint64_t kWriteBehindBytes = 64U << 20U;

}  // namespace

BlockOutput::BlockOutput(model::OutputFile file)
    : file_(std::move(file)),
      buffer_(static_cast<std::byte*>(std::aligned_alloc(model::kStoreAlignment, kBufferBytes))) {
  SIDA_CHECK(buffer_ != nullptr);
  file_.go_direct();
}

Result<BlockOutput> BlockOutput::open(const std::filesystem::path& path, std::uint64_t bytes) {
  SIDA_CHECK(bytes % model::kStoreAlignment == 0);
  std::error_code ignored;
  auto file =
      std::filesystem::exists(path, ignored) ? model::OutputFile::reopen(path, bytes) : model::OutputFile::create(path);
  if (!file) return tl::unexpected(std::move(file).error());
  return BlockOutput(*std::move(file));
}

Result<void> BlockOutput::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kBufferBytes - buffered_);
    std::memcpy(buffer_.get() + buffered_, bytes.data(), count);
    buffered_ += count;
    bytes = bytes.subspan(count);
    if (buffered_ == kBufferBytes) SIDA_TRY(flush());
  }
  return {};
}

Result<void> BlockOutput::flush() {
  const std::size_t whole = buffered_ / model::kStoreAlignment * model::kStoreAlignment;
  SIDA_TRY(file_.append({buffer_.get(), whole}));
  std::memmove(buffer_.get(), buffer_.get() + whole, buffered_ - whole);
  buffered_ -= whole;
  behind_ += whole;
  if (!file_.is_direct() && behind_ >= kWriteBehindBytes) {
    file_.write_behind();
    behind_ = 0;
  }
  return {};
}

Result<void> BlockOutput::finish() {
  SIDA_TRY(flush());
  SIDA_CHECK(buffered_ == 0);
  return file_.finish();
}

}  // namespace sida::store
