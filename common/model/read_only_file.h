// An open regular file, read by position. No mapping: a mapping dies with SIGBUS when somebody truncates the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "common/base/result.h"

namespace sida::model {

// Owns the descriptor. Immutable, so any thread may read.
class ReadOnlyFile {
 public:
  // Follows symbolic links (a Hugging Face cache is made of them). Errors: kNotFound, kInvalidModel (not a regular
  // file), kIo.
  static Result<ReadOnlyFile> open(const std::filesystem::path& path);
  // The same, but reads go past the page cache: offset, length and memory of each must then be multiples of the disk's
  // logical block (512 or 4096 bytes). kIo where the file system does not offer it.
  static Result<ReadOnlyFile> open_direct(const std::filesystem::path& path);

  ReadOnlyFile(ReadOnlyFile&& other) noexcept;
  ReadOnlyFile& operator=(ReadOnlyFile&& other) noexcept;
  ReadOnlyFile(const ReadOnlyFile&) = delete;
  ReadOnlyFile& operator=(const ReadOnlyFile&) = delete;
  ~ReadOnlyFile();

  // Bytes when it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }

  // Fills `destination` from byte `offset` on. Blocks on disk. Errors: kInvalidModel when the file ends before, kIo.
  [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> destination) const;

  // Advice to the page cache, which may be ignored. Reads are of scattered places: do not read ahead.
  void expect_scattered_reads() const;
  // Begin to read these bytes. Does not wait for them.
  void fetch(std::uint64_t offset, std::uint64_t bytes) const;
  // These bytes are not needed again.
  void forget(std::uint64_t offset, std::uint64_t bytes) const;

  // kInvalidModel when the file is no longer as long as when it was opened: somebody is still writing it.
  [[nodiscard]] Result<void> check_size_unchanged() const;

 private:
  static Result<ReadOnlyFile> open(const std::filesystem::path& path, int flags);
  ReadOnlyFile(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// The whole of a small file. Errors: those of open, kInvalidModel when it is longer than `bytes_max`.
[[nodiscard]] Result<std::string> read_text_file(const std::filesystem::path& path, std::uint64_t bytes_max);

}  // namespace sida::model
