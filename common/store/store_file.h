// The data file of an expert store, read block by block.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "common/model/model_directory.h"
#include "common/model/read_only_file.h"
#include "common/store/block_checksum.h"
#include "common/store/read_method.h"

namespace sida::store {

// Bytes per read. A demanded expert waits for the rest of at most one of these: 0.3 to 0.8 ms at 1.2 to 3.4 GB/s.
// Larger ones were not faster through the page cache (measured on a virtual disk, 0.25 to 4 MiB).
inline constexpr std::uint64_t kReadBytes = 1U << 20U;

// Through the page cache, what follows in the block is fetched so far ahead, so that the disk always has work.
inline constexpr std::uint64_t kFetchAheadBytes = 4U << 20U;

// How far a block has been read, and what its bytes so far add up to. StoreFile::abandon() ends a reading early.
class BlockRead {
 public:
  [[nodiscard]] std::uint64_t bytes_done() const { return done_; }

 private:
  friend class StoreFile;
  std::uint64_t done_ = 0;
  BlockChecksum checksum_;
};

// Owns the open file, so removing it does no harm. Immutable after open; any thread may read.
class StoreFile {
 public:
  // Of a model directory that has a store. Compares the size with the manifest's, and measures which way of reading
  // suits the disk unless `method` says: some dozen MiB each way.
  // Errors: kInvalidModel (no data file, or another size than the manifest says), kIo; also for kDirect where there are
  // no direct reads.
  static Result<StoreFile> open(const model::ModelDirectory& model, std::optional<ReadMethod> method = std::nullopt);

  // Reads the next kReadBytes, or what is left, of an expert's block into the same place of `block`, which has
  // stride_bytes, is aligned to kStoreAlignment, and is the same in every call. True when the whole block is there and
  // its checksum is right. Blocks on the disk. Errors name file, layer, expert and what to do: kInvalidModel when the
  // file was cut short or the checksum is wrong, kIo. What `block` holds is then undefined.
  [[nodiscard]] Result<bool> read_next(ExpertKey key, BlockRead& read, std::span<std::byte> block) const;

  // Ends a reading before the block's end: what was fetched ahead of it leaves the page cache. Does not touch the disk.
  void abandon(ExpertKey key, const BlockRead& read) const;

  [[nodiscard]] ReadMethod method() const { return method_; }
  [[nodiscard]] const ReadRates& rates() const { return rates_; }  // Empty when the method was given.
  // Most bytes of the page cache that reading one block uses at a time.
  [[nodiscard]] std::uint64_t cache_bytes() const;

 private:
  StoreFile(std::filesystem::path path, const model::StoreManifest& manifest, model::ReadOnlyFile buffered)
      : path_(std::move(path)), manifest_(manifest), buffered_(std::move(buffered)) {}
  void measure();
  [[nodiscard]] std::optional<double> measure_reads(ReadMethod method, std::span<std::byte> memory) const;
  [[nodiscard]] Result<void> read(ReadMethod method, std::uint64_t offset, std::uint64_t block_end,
                                  std::span<std::byte> destination) const;
  [[nodiscard]] tl::unexpected<Error> at_block(ExpertKey key, Error error) const;

  std::filesystem::path path_;
  model::StoreManifest manifest_;
  model::ReadOnlyFile buffered_;
  std::optional<model::ReadOnlyFile> direct_;
  ReadMethod method_ = ReadMethod::kBuffered;
  ReadRates rates_;
};

}  // namespace sida::store
