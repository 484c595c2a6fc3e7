#include "common/model/zip_directory.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/checked_math.h"
#include "common/model/quote_name.h"

namespace sida::model {

namespace {

constexpr std::uint64_t kDirectoryBytesMax = 256U << 20U;  // 2,000,000 records; released shards have under 20,000.
constexpr std::uint64_t kLocalHeaderBytes = 30;
constexpr std::uint64_t kEntryBytes = 46;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kEnd64LocatorBytes = 20;
constexpr std::uint64_t kEnd64Bytes = 56;
constexpr std::uint64_t kEndCommentMax = 65535;
constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kIn64 = 0xffffffff;  // "The value is in the ZIP64 field."

tl::unexpected<Error> damaged(std::string what) {
  return fail(ErrorCode::kInvalidModel, std::move(what));
}

// Little-endian fields; the caller has checked that they lie in the bytes.
std::uint64_t field(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = width; i-- > 0;) value = (value << 8U) | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::uint32_t signature(std::string_view bytes) {
  return static_cast<std::uint32_t>(field(bytes, 0, 4));
}

Result<std::string> read_string(const ReadOnlyFile& file, std::uint64_t offset, std::uint64_t bytes) {
  // Checked before allocating: a declared size may be anything.
  if (offset > file.size() || bytes > file.size() - offset) return damaged("the zip archive ends too early");
  std::string text(bytes, '\0');
  SIDA_TRY(file.read(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

// Where the central directory lies.
struct DirectoryPlace {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
};

Result<DirectoryPlace> read_end64(const ReadOnlyFile& file, std::uint64_t locator_at) {
  const auto locator = read_string(file, locator_at, kEnd64LocatorBytes);
  if (!locator) return tl::unexpected(locator.error());
  if (signature(*locator) != kEnd64LocatorSignature) return damaged("the zip archive lacks its ZIP64 locator");
  const auto end = read_string(file, field(*locator, 8, 8), kEnd64Bytes);
  if (!end) return tl::unexpected(end.error());
  if (signature(*end) != kEnd64Signature) return damaged("the zip archive lacks its ZIP64 end record");
  return DirectoryPlace{.offset = field(*end, 48, 8), .bytes = field(*end, 40, 8), .entries = field(*end, 32, 8)};
}

Result<DirectoryPlace> find_directory(const ReadOnlyFile& file) {
  const std::uint64_t tail_bytes = std::min(file.size(), kEndBytes + kEndCommentMax);
  const std::uint64_t tail_at = file.size() - tail_bytes;
  const auto tail = read_string(file, tail_at, tail_bytes);
  if (!tail) return tl::unexpected(tail.error());
  constexpr std::string_view kMark("PK\x05\x06", 4);
  const std::size_t at = tail->rfind(kMark);
  if (at == tail->npos || tail->size() - at < kEndBytes) {
    return damaged("no end of a zip archive; the file may be incomplete");
  }
  const std::string_view end = std::string_view(*tail).substr(at);
  DirectoryPlace place{.offset = field(end, 16, 4), .bytes = field(end, 12, 4), .entries = field(end, 10, 2)};
  const std::uint64_t end_at = tail_at + at;
  const bool needs64 = place.offset == kIn64 || place.bytes == kIn64 || place.entries == 0xffff;
  if (needs64 && end_at >= kEnd64LocatorBytes) {
    auto place64 = read_end64(file, end_at - kEnd64LocatorBytes);
    if (!place64) return place64;
    place = *place64;
  }
  if (place.bytes > kDirectoryBytesMax || place.offset > end_at || place.bytes > end_at - place.offset) {
    return damaged("the zip archive's directory does not lie in the file");
  }
  return place;
}

struct Entry {
  std::string_view name;
  std::uint64_t bytes = 0;
  std::uint64_t header_at = 0;  // Of the local header.
};

// Replaces fields that say "in the ZIP64 field" by what the extra field 0x0001 says, in the fixed order of the format.
Result<void> apply_extra64(std::string_view extra, std::uint64_t& size, std::uint64_t& packed, std::uint64_t& offset) {
  while (extra.size() >= 4) {
    const std::uint64_t id = field(extra, 0, 2);
    const std::uint64_t length = field(extra, 2, 2);
    if (length > extra.size() - 4) break;
    std::string_view body = extra.substr(4, length);
    extra.remove_prefix(4 + length);
    if (id != 1) continue;
    for (std::uint64_t* value : {&size, &packed, &offset}) {
      if (*value != kIn64) continue;
      if (body.size() < 8) return damaged("its ZIP64 field is too short");
      *value = field(body, 0, 8);
      body.remove_prefix(8);
    }
    return {};
  }
  return {};
}

// Takes the first entry off the directory.
Result<Entry> take_entry(std::string_view& directory) {
  if (directory.size() < kEntryBytes || signature(directory) != kEntrySignature) {
    return damaged("the zip archive's directory is damaged");
  }
  const std::uint64_t name_bytes = field(directory, 28, 2);
  const std::uint64_t extra_bytes = field(directory, 30, 2);
  const std::uint64_t total = kEntryBytes + name_bytes + extra_bytes + field(directory, 32, 2);
  if (total > directory.size()) return damaged("the zip archive's directory is damaged");
  Entry entry{.name = directory.substr(kEntryBytes, name_bytes),
              .bytes = field(directory, 24, 4),
              .header_at = field(directory, 42, 4)};
  const std::string place = "record " + quote_name(entry.name);
  const std::string_view extra = directory.substr(kEntryBytes + name_bytes, extra_bytes);
  std::uint64_t packed_bytes = field(directory, 20, 4);
  if (auto done = apply_extra64(extra, entry.bytes, packed_bytes, entry.header_at); !done) {
    return fail_at(place, std::move(done).error());
  }
  const bool encrypted = (field(directory, 8, 2) & 1U) != 0;
  if (encrypted || field(directory, 10, 2) != 0 || packed_bytes != entry.bytes) {
    return damaged(place + " is compressed or encrypted; torch.save stores records as they are");
  }
  directory.remove_prefix(total);
  return entry;
}

Result<ZipRecord> locate(const ReadOnlyFile& file, const Entry& entry, std::uint64_t limit) {
  const auto header = read_string(file, entry.header_at, kLocalHeaderBytes);
  if (!header) return tl::unexpected(header.error());
  const std::uint64_t name_bytes = field(*header, 26, 2);
  if (signature(*header) != kLocalSignature || name_bytes != entry.name.size()) {
    return damaged("its local header is damaged");
  }
  const auto name = read_string(file, entry.header_at + kLocalHeaderBytes, name_bytes);
  if (!name) return tl::unexpected(name.error());
  if (*name != entry.name) return damaged("its local header has another name");
  // No overflow: the header lies in the file, and both lengths have 16 bits.
  const std::uint64_t begin = entry.header_at + kLocalHeaderBytes + name_bytes + field(*header, 28, 2);
  if (begin > limit || entry.bytes > limit - begin) return damaged("its bytes do not lie before the directory");
  return ZipRecord{.offset = begin, .bytes = entry.bytes};
}

// From local header to end of data, in the file.
struct Span {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

Result<void> refuse_overlap(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < spans.size(); ++i) {
    if (spans[i].begin < spans[i - 1].end) return damaged("records of the zip archive overlap");
  }
  return {};
}

}  // namespace

Result<ZipDirectory> read_zip_directory(const ReadOnlyFile& file) {
  const auto place = find_directory(file);
  if (!place) return tl::unexpected(place.error());
  const auto bytes = read_string(file, place->offset, place->bytes);
  if (!bytes) return tl::unexpected(bytes.error());

  ZipDirectory directory;
  std::vector<Span> spans;
  std::string_view rest = *bytes;
  while (!rest.empty()) {
    const auto entry = take_entry(rest);
    if (!entry) return tl::unexpected(entry.error());
    const auto record = locate(file, *entry, place->offset);
    if (!record) return fail_at("record " + quote_name(entry->name), record.error());
    if (!directory.emplace(entry->name, *record).second) {
      return damaged("record " + quote_name(entry->name) + " appears twice");
    }
    spans.push_back({entry->header_at, record->offset + record->bytes});
  }
  if (directory.size() != place->entries) return damaged("the zip archive's directory lacks records");
  SIDA_TRY(refuse_overlap(std::move(spans)));
  return directory;
}

}  // namespace sida::model
