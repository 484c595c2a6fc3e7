// The data file of a store while it is written, front to back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>

#include "common/model/output_file.h"

namespace sida::store {

// Writes past the page cache where the file system offers that, since the system's own writing back takes processor
// time that packing needs: on two busy cores 400 MB/s went to the disk in this way and 34 MB/s through the cache.
// Elsewhere through the page cache, which is kept small. One thread at a time. Errors: kIo with the path.
class BlockOutput {
 public:
  // A new file, or one that is there, behind its first `bytes`, a multiple of model::kStoreAlignment.
  static Result<BlockOutput> open(const std::filesystem::path& path, std::uint64_t bytes);

  // Any number of bytes; they may stay in memory until more come. Blocks on disk.
  [[nodiscard]] Result<void> append(std::span<const std::byte> bytes);
  // Brings onto the disk what can be: whole pages. For a run that ends before its time.
  [[nodiscard]] Result<void> flush();
  // All is on disk afterwards. SIDA_CHECKs that it is a multiple of model::kStoreAlignment.
  [[nodiscard]] Result<void> finish();

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  explicit BlockOutput(model::OutputFile file);

  model::OutputFile file_;
  std::unique_ptr<std::byte, Free> buffer_;
  std::size_t buffered_ = 0;
  std::uint64_t behind_ = 0;  // Bytes since the last write_behind().
};

}  // namespace sida::store
