// A file written front to back, durable when finished.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "common/base/result.h"

namespace sida::model {

// Owns the descriptor; one thread. Errors of every method: kIo with the path.
class OutputFile {
 public:
  // Refuses an existing file.
  static Result<OutputFile> create(const std::filesystem::path& path);
  // Goes on with an existing file behind its first `bytes` bytes; what follows them is cut off.
  static Result<OutputFile> reopen(const std::filesystem::path& path, std::uint64_t bytes);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // Bytes of the file so far.
  [[nodiscard]] std::uint64_t position() const { return position_; }

  // Blocks on disk.
  [[nodiscard]] Result<void> append(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> append(std::string_view bytes);

  // Replaces bytes that were appended before.
  [[nodiscard]] Result<void> overwrite(std::uint64_t offset, std::string_view bytes);

  // From now on writes go past the page cache where the file system offers it: memory, length and position of each must
  // be multiples of the disk's logical block (512 or 4096 bytes).
  void go_direct();
  [[nodiscard]] bool is_direct() const { return direct_; }

  // For files larger than memory: has the disk write what was appended since the last call, without waiting, and waits
  // for what the call before began, whose bytes then leave the page cache. Call it every few dozen MiB.
  void write_behind();

  // Waits until the bytes are on disk, and closes.
  [[nodiscard]] Result<void> finish();

 private:
  OutputFile(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  [[nodiscard]] Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t position_ = 0;
  bool direct_ = false;
  std::uint64_t written_ = 0;  // By write_behind(): on disk up to here,
  std::uint64_t begun_ = 0;    // and on the way there up to here.
};

// A new file of this text, on disk afterwards. Errors: kIo, also for an existing file.
[[nodiscard]] Result<void> write_text_file(const std::filesystem::path& path, std::string_view text);

}  // namespace sida::model
