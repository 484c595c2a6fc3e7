#include "common/model/zip_writer.h"

#include <zlib.h>

#include <utility>

namespace sida::model {

namespace {

constexpr std::uint64_t kAlignment = 64;  // As torch.save; its readers map storages.
constexpr std::uint64_t kIn64 = 0xffffffff;
constexpr std::uint64_t kLocalHeaderBytes = 30;
constexpr std::uint64_t kCrcAt = 14;  // Within the local header.
constexpr std::uint64_t kVersion = 45;
constexpr std::uint64_t kDate = 0x21;  // 1980-01-01: equal models give equal files.

// Little-endian fields, in the order of the format.
class Fields {
 public:
  Fields& add(std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) bytes_ += static_cast<char>((value >> (8 * i)) & 0xffU);
    return *this;
  }
  Fields& add(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// The fields that local header and directory entry share: version to uncompressed size.
void add_common(Fields& fields, std::uint64_t bytes, std::uint32_t crc) {
  fields.add(kVersion, 2).add(0, 2).add(0, 2).add(0, 2).add(kDate, 2).add(crc, 4).add(bytes, 4).add(bytes, 4);
}

}  // namespace

Result<ZipWriter> ZipWriter::create(const std::filesystem::path& path) {
  auto file = OutputFile::create(path);
  if (!file) return tl::unexpected(std::move(file).error());
  return ZipWriter(std::move(*file));
}

Result<void> ZipWriter::begin(const std::string& name, std::uint64_t bytes) {
  SIDA_CHECK(missing_ == 0 && bytes < kIn64 && name.size() < 0x8000);
  const std::uint64_t header_at = file_.position();
  // The extra field's own header has four bytes; "FB" is the id that torch.save uses for padding.
  const std::uint64_t unaligned = header_at + kLocalHeaderBytes + name.size() + 4;
  const std::uint64_t padding = (kAlignment - unaligned % kAlignment) % kAlignment;
  Fields header;
  header.add(0x04034b50, 4);
  add_common(header, bytes, 0);
  header.add(name.size(), 2).add(padding + 4, 2).add(name).add("FB").add(padding, 2).add(std::string(padding, 'Z'));
  records_.push_back({.name = name, .header_at = header_at, .bytes = bytes, .crc = 0});
  missing_ = bytes;
  return file_.append(header.bytes());
}

Result<void> ZipWriter::append(std::span<const std::byte> bytes) {
  SIDA_CHECK(bytes.size() <= missing_);
  missing_ -= bytes.size();
  Record& record = records_.back();
  record.crc = static_cast<std::uint32_t>(
      ::crc32_z(record.crc, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
  return file_.append(bytes);
}

Result<void> ZipWriter::end() {
  SIDA_CHECK(missing_ == 0);
  const Record& record = records_.back();
  return file_.overwrite(record.header_at + kCrcAt, Fields().add(record.crc, 4).bytes());
}

Result<void> ZipWriter::add(const std::string& name, std::string_view bytes) {
  SIDA_TRY(begin(name, bytes.size()));
  SIDA_TRY(append(std::as_bytes(std::span(bytes))));
  return end();
}

Result<void> ZipWriter::finish() {
  const std::uint64_t directory_at = file_.position();
  for (const Record& record : records_) {
    const bool far = record.header_at >= kIn64;
    Fields entry;
    entry.add(0x02014b50, 4).add(kVersion, 2);
    add_common(entry, record.bytes, record.crc);
    entry.add(record.name.size(), 2).add(far ? 12 : 0, 2).add(0, 2).add(0, 2).add(0, 2).add(0, 4);
    entry.add(far ? kIn64 : record.header_at, 4).add(record.name);
    if (far) entry.add(1, 2).add(8, 2).add(record.header_at, 8);
    SIDA_TRY(file_.append(entry.bytes()));
  }
  const std::uint64_t end_at = file_.position();
  const std::uint64_t directory_bytes = end_at - directory_at;
  const bool large = directory_at >= kIn64 || directory_bytes >= kIn64 || records_.size() >= 0xffff;
  Fields end;
  if (large) {
    end.add(0x06064b50, 4).add(44, 8).add(kVersion, 2).add(kVersion, 2).add(0, 4).add(0, 4);
    end.add(records_.size(), 8).add(records_.size(), 8).add(directory_bytes, 8).add(directory_at, 8);
    end.add(0x07064b50, 4).add(0, 4).add(end_at, 8).add(1, 4);
  }
  const std::uint64_t count = large ? 0xffff : records_.size();
  end.add(0x06054b50, 4).add(0, 2).add(0, 2).add(count, 2).add(count, 2);
  end.add(large ? kIn64 : directory_bytes, 4).add(large ? kIn64 : directory_at, 4).add(0, 2);
  SIDA_TRY(file_.append(end.bytes()));
  return file_.finish();
}

}  // namespace sida::model
