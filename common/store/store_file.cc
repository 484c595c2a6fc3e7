#include "common/store/store_file.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <utility>

namespace sida::store {
namespace {

constexpr const char* kRemedy = "; make the store again with 'sida convert'";

struct FreeMemory {
  void operator()(std::byte* memory) const { std::free(memory); }
};

std::string size_text(std::uint64_t bytes) {
  return std::to_string(bytes) + " bytes";
}

}  // namespace

Result<StoreFile> StoreFile::open(const model::ModelDirectory& model, std::optional<ReadMethod> method) {
  SIDA_CHECK(model.store() != nullptr);
  const auto path = model.path() / model::kStoreDataFile;
  auto buffered = model::ReadOnlyFile::open(path);
  if (!buffered && buffered.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kInvalidModel, path.string() + ": there is no such file, though " +
                                              std::string(model::kStoreManifestFile) + " lies beside it" + kRemedy);
  }
  if (!buffered) return tl::unexpected(std::move(buffered).error());
  const std::uint64_t expected = model.store()->geometry.data_bytes();
  if (buffered->size() != expected) {
    return fail(ErrorCode::kInvalidModel, path.string() + ": has " + size_text(buffered->size()) + " instead of " +
                                              size_text(expected) + ", the copy may be incomplete" + kRemedy);
  }
  StoreFile file(path, *model.store(), *std::move(buffered));
  file.buffered_.expect_scattered_reads();
  if (auto direct = model::ReadOnlyFile::open_direct(path)) {
    file.direct_.emplace(*std::move(direct));
  } else if (method == ReadMethod::kDirect) {
    return tl::unexpected(std::move(direct).error());
  }
  if (method) {
    file.method_ = *method;
  } else {
    file.measure();
  }
  if (file.method_ == ReadMethod::kBuffered) file.direct_.reset();
  return file;
}

Result<bool> StoreFile::read_next(ExpertKey key, BlockRead& read, std::span<std::byte> block) const {
  const model::StoreGeometry& geometry = manifest_.geometry;
  const std::uint64_t stride = geometry.stride_bytes();
  const std::uint64_t index = geometry.index(key);
  SIDA_CHECK(index < geometry.experts() && block.size() == stride && read.done_ < stride);
  const std::uint64_t begin = index * stride;
  const auto piece = block.subspan(read.done_, std::min(kReadBytes, stride - read.done_));
  if (auto done = this->read(method_, begin + read.done_, begin + stride, piece); !done) {
    return at_block(key, std::move(done).error());
  }
  const std::uint64_t block_bytes = geometry.block_bytes();
  if (read.done_ < block_bytes) read.checksum_.add(piece.first(std::min(piece.size(), block_bytes - read.done_)));
  read.done_ += piece.size();
  if (read.done_ < stride) return false;
  if (read.checksum_.value() == manifest_.checksums[index]) return true;
  return at_block(key, {ErrorCode::kInvalidModel, "its checksum is wrong, the file is damaged"});
}

void StoreFile::abandon(ExpertKey key, const BlockRead& read) const {
  const std::uint64_t stride = manifest_.geometry.stride_bytes();
  if (method_ == ReadMethod::kDirect || read.done_ >= stride) return;
  buffered_.forget(manifest_.geometry.index(key) * stride + read.done_,
                   std::min(kFetchAheadBytes, stride - read.done_));
}

Result<void> StoreFile::read(ReadMethod method, std::uint64_t offset, std::uint64_t block_end,
                             std::span<std::byte> destination) const {
  if (method == ReadMethod::kDirect) return direct_->read(offset, destination);
  const std::uint64_t end = offset + destination.size();
  if (end < block_end) buffered_.fetch(end, std::min(kFetchAheadBytes, block_end - end));
  auto done = buffered_.read(offset, destination);
  buffered_.forget(offset, destination.size());
  return done;
}

std::uint64_t StoreFile::cache_bytes() const {
  if (method_ == ReadMethod::kDirect) return 0;
  return std::min(kReadBytes + kFetchAheadBytes, manifest_.geometry.stride_bytes());
}

tl::unexpected<Error> StoreFile::at_block(ExpertKey key, Error error) const {
  const bool damaged = error.code == ErrorCode::kInvalidModel;
  error.message = path_.string() + ": expert " + std::to_string(key.expert.value) + " of MoE layer " +
                  std::to_string(key.layer.value) + ": " + error.message +
                  (damaged ? kRemedy : "; look at the system's log for what the disk says");
  return tl::unexpected<Error>(std::move(error));
}

// In turns, so that what else the disk does in the meantime disturbs both alike; the quickest turn counts.
void StoreFile::measure() {
  constexpr int kTurns = 4;
  const std::unique_ptr<std::byte, FreeMemory> memory(
      static_cast<std::byte*>(std::aligned_alloc(model::kStoreAlignment, kReadBytes)));
  SIDA_CHECK(memory != nullptr);
  const std::span<std::byte> span(memory.get(), kReadBytes);
  for (int turn = 0; turn < kTurns; ++turn) {
    if (direct_) rates_.direct = std::max(rates_.direct, measure_reads(ReadMethod::kDirect, span));
    rates_.buffered = std::max(rates_.buffered, measure_reads(ReadMethod::kBuffered, span));
  }
  method_ = choose_read_method(rates_);
}

// Reads a few stretches that lie apart. Nothing when the file is too small, or cannot be read in this way.
std::optional<double> StoreFile::measure_reads(ReadMethod method, std::span<std::byte> memory) const {
  constexpr std::uint64_t kStretchBytes = 4U << 20U;
  constexpr std::uint64_t kStretches = 3;
  const std::uint64_t file_bytes = manifest_.geometry.data_bytes();
  if (file_bytes < 2 * kStretches * kStretchBytes) return std::nullopt;
  std::chrono::duration<double> took{0};
  for (std::uint64_t stretch = 0; stretch < kStretches; ++stretch) {
    const std::uint64_t begin = (file_bytes - kStretchBytes) / kStretches * stretch / kReadBytes * kReadBytes;
    buffered_.forget(begin, kStretchBytes);  // What the page cache holds says nothing about the disk.
    const auto started = std::chrono::steady_clock::now();
    for (std::uint64_t done = 0; done < kStretchBytes; done += kReadBytes) {
      if (!read(method, begin + done, begin + kStretchBytes, memory)) return std::nullopt;
    }
    took += std::chrono::steady_clock::now() - started;
  }
  return static_cast<double>(kStretches * kStretchBytes) / std::max(took.count(), 1e-9);
}

}  // namespace sida::store
