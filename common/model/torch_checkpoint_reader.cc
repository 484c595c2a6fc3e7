#include "common/model/torch_checkpoint_reader.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/checked_math.h"
#include "common/model/pickle_reader.h"
#include "common/model/quote_name.h"
#include "common/model/zip_directory.h"

namespace sida::model {

namespace {

struct StorageType {
  std::string_view name;
  std::uint64_t element_bytes;
  std::optional<DType> dtype;
};

// Types that are not listed are of no known size; their tensors are kept without one.
constexpr std::array kStorageTypes{
    StorageType{"FloatStorage", 4, DType::kFloat32}, StorageType{"BFloat16Storage", 2, DType::kBFloat16},
    StorageType{"HalfStorage", 2, DType::kFloat16},  StorageType{"LongStorage", 8, DType::kInt64},
    StorageType{"IntStorage", 4, DType::kInt32},     StorageType{"ShortStorage", 2, DType::kInt16},
    StorageType{"ByteStorage", 1, DType::kUInt8},    StorageType{"CharStorage", 1, std::nullopt},
    StorageType{"BoolStorage", 1, std::nullopt},     StorageType{"DoubleStorage", 8, std::nullopt},
};

Result<void> check_is_zip(const ReadOnlyFile& file) {
  std::array<char, 4> start{};
  if (file.size() < start.size()) return fail(ErrorCode::kInvalidModel, "too short for a PyTorch checkpoint");
  SIDA_TRY(file.read(0, std::as_writable_bytes(std::span(start))));
  const std::string_view magic(start.data(), start.size());
  if (magic == std::string_view("PK\x03\x04", 4)) return {};
  // Protocol 2, then the ten-byte magic number of the old format.
  if (magic == std::string_view("\x80\x02\x8a\x0a", 4)) {
    return fail(ErrorCode::kInvalidModel,
                "written in the format before PyTorch 1.6; load it with torch.load and save it again with torch.save");
  }
  return fail(ErrorCode::kInvalidModel, "not a PyTorch checkpoint (no zip archive)");
}

// The name of the folder that holds everything, with its slash: the file's name at the time of torch.save.
Result<std::string> archive_prefix(const ZipDirectory& directory) {
  constexpr std::string_view kPickle = "data.pkl";
  std::string prefix;
  for (const auto& [name, record] : directory) {
    const std::size_t slash = name.find('/');
    if (slash == name.npos || std::string_view(name).substr(slash + 1) != kPickle) continue;
    if (!prefix.empty()) return fail(ErrorCode::kInvalidModel, "the archive holds two data.pkl");
    prefix = name.substr(0, slash + 1);
  }
  if (prefix.empty()) return fail(ErrorCode::kInvalidModel, "the archive holds no data.pkl");
  return prefix;
}

Result<std::string> read_record(const ReadOnlyFile& file, const ZipRecord& record, std::uint64_t bytes_max) {
  if (record.bytes > bytes_max) return fail(ErrorCode::kInvalidModel, "longer than allowed");
  std::string text(record.bytes, '\0');
  SIDA_TRY(file.read(record.offset, std::as_writable_bytes(std::span(text))));
  return text;
}

Result<void> check_byte_order(const ReadOnlyFile& file, const ZipDirectory& directory, const std::string& prefix) {
  const auto record = directory.find(prefix + "byteorder");
  if (record == directory.end()) return {};  // Written since PyTorch 2.1 only; before, little-endian was understood.
  const auto order = read_record(file, record->second, 16);
  if (!order) return fail_at("byteorder", order.error());
  if (*order == "little") return {};
  return fail(ErrorCode::kInvalidModel, "its byte order is " + quote_name(*order) + "; only 'little' is supported");
}

Result<StoredTensor> place(PickledTensor tensor, const ZipDirectory& directory, const std::string& prefix) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::kInvalidModel, "tensor " + quote_name(tensor.name) + ": " + what);
  };
  const auto record = directory.find(prefix + "data/" + tensor.storage_key);
  if (record == directory.end()) return wrong("its record " + quote_name(tensor.storage_key) + " is missing");
  StoredTensor stored{.name = tensor.name,
                      .dtype_name = tensor.storage_type,
                      .dtype = std::nullopt,
                      .shape = std::move(tensor.shape),
                      .offset = record->second.offset,
                      .bytes = record->second.bytes};
  const auto* type = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                  [&](const StorageType& t) { return t.name == tensor.storage_type; });
  if (type == kStorageTypes.end()) return stored;
  const auto storage_bytes = checked_mul(tensor.storage_elements, type->element_bytes);
  if (!storage_bytes || *storage_bytes != record->second.bytes) {
    return wrong("its record has " + std::to_string(record->second.bytes) + " bytes instead of " +
                 std::to_string(tensor.storage_elements) + " elements");
  }
  // The view lies within the storage (checked by the pickle reader), and the storage within the file.
  stored.dtype = type->dtype;
  stored.offset += tensor.storage_offset * type->element_bytes;
  stored.bytes = *checked_elements(stored.shape) * type->element_bytes;
  return stored;
}

}  // namespace

Result<std::vector<StoredTensor>> read_torch_checkpoint(const ReadOnlyFile& file) {
  SIDA_TRY(check_is_zip(file));
  const auto directory = read_zip_directory(file);
  if (!directory) return tl::unexpected(directory.error());
  const auto prefix = archive_prefix(*directory);
  if (!prefix) return tl::unexpected(prefix.error());
  SIDA_TRY(check_byte_order(file, *directory, *prefix));
  const auto bytes = read_record(file, directory->find(*prefix + "data.pkl")->second, kPickleBytesMax);
  if (!bytes) return fail_at("data.pkl", bytes.error());
  auto pickled = read_pickle(*bytes);
  if (!pickled) return tl::unexpected(std::move(pickled).error());
  std::vector<StoredTensor> tensors;
  tensors.reserve(pickled->size());
  for (PickledTensor& tensor : *pickled) {
    auto stored = place(std::move(tensor), *directory, *prefix);
    if (!stored) return tl::unexpected(std::move(stored).error());
    tensors.push_back(std::move(*stored));
  }
  return tensors;
}

}  // namespace sida::model
