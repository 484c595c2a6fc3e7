// Writes a zip archive of stored records front to back (zip_directory.h has the format), data aligned as torch.save
// does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/model/output_file.h"

namespace sida::model {

// One thread. Records one after another: begin, append …, end. A record has less than 4 GiB; the archive may be longer.
// Errors: kIo.
class ZipWriter {
 public:
  static Result<ZipWriter> create(const std::filesystem::path& path);

  [[nodiscard]] Result<void> begin(const std::string& name, std::uint64_t bytes);
  [[nodiscard]] Result<void> append(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> end();  // SIDA_CHECKs that the record is complete.

  // begin, append and end of a small record.
  [[nodiscard]] Result<void> add(const std::string& name, std::string_view bytes);

  // Writes the directory; the file is on disk afterwards.
  [[nodiscard]] Result<void> finish();

 private:
  struct Record {
    std::string name;
    std::uint64_t header_at = 0;
    std::uint64_t bytes = 0;
    std::uint32_t crc = 0;
  };

  explicit ZipWriter(OutputFile file) : file_(std::move(file)) {}

  OutputFile file_;
  std::vector<Record> records_;  // The last one may be open.
  std::uint64_t missing_ = 0;    // Bytes of the open record.
};

}  // namespace sida::model
