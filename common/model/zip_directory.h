// The directory of a zip archive of stored (uncompressed) records, as torch.save writes it; ZIP64 included.
// Format: PKWARE's APPNOTE.TXT, sections 4.3.6 to 4.3.16 and 4.5.3.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/base/result.h"
#include "common/model/read_only_file.h"

namespace sida::model {

// The bytes of one record, as they lie in the file.
struct ZipRecord {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

using ZipDirectory = std::map<std::string, ZipRecord, std::less<>>;  // By full name within the archive.

// Every record is stored, not encrypted, on one disk, named once, and overlaps no other. Offsets come from the local
// headers, since padding in their extra fields is what aligns the data.
// Errors: kInvalidModel naming the record, kIo.
[[nodiscard]] Result<ZipDirectory> read_zip_directory(const ReadOnlyFile& file);

}  // namespace sida::model
