#include "common/model/safetensors_reader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "common/base/checked_math.h"
#include "common/model/json_events.h"
#include "common/model/quote_name.h"

namespace sida::model {

namespace {

constexpr std::size_t kDimensionsMax = 32;

struct StoredType {
  std::string_view name;
  std::uint64_t bits;
  std::optional<DType> dtype;
};

constexpr std::array kTypes{
    StoredType{"F32", 32, DType::kFloat32}, StoredType{"BF16", 16, DType::kBFloat16},
    StoredType{"F16", 16, DType::kFloat16}, StoredType{"I64", 64, DType::kInt64},
    StoredType{"I32", 32, DType::kInt32},   StoredType{"I16", 16, DType::kInt16},
    StoredType{"U8", 8, DType::kUInt8},     StoredType{"BOOL", 8, std::nullopt},
    StoredType{"I8", 8, std::nullopt},      StoredType{"F8_E5M2", 8, std::nullopt},
    StoredType{"F8_E4M3", 8, std::nullopt}, StoredType{"F8_E8M0", 8, std::nullopt},
    StoredType{"U16", 16, std::nullopt},    StoredType{"U32", 32, std::nullopt},
    StoredType{"U64", 64, std::nullopt},    StoredType{"F64", 64, std::nullopt},
};

// What the header says about one tensor. Offsets are relative to the data.
struct Entry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::uint64_t> range;
  bool has_shape = false;
};

class HeaderEvents : public JsonEvents {
 public:
  std::vector<Entry> entries;

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kStart:
        place_ = Place::kTop;
        return true;
      case Place::kTop:
        place_ = entry_.name == "__metadata__" ? Place::kMetadata : Place::kEntry;
        names_within_.clear();
        return true;
      default:
        return reject(where() + "unexpected object");
    }
  }

  bool key(std::string& name) override {
    if (place_ == Place::kTop) {
      entry_ = Entry{.name = name, .dtype = {}, .shape = {}, .range = {}};
      return names_.insert(name).second || reject("tensor " + quote_name(name) + " appears twice");
    }
    field_ = name;
    return names_within_.insert(name).second || reject(where() + quote_name(name) + " appears twice");
  }

  bool string(std::string& text) override {
    if (place_ == Place::kMetadata) return true;
    if (place_ != Place::kEntry || field_ != "dtype") return reject(where() + "unexpected string");
    entry_.dtype = text;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::kEntry && field_ == "shape") {
      place_ = Place::kShape;
      entry_.has_shape = true;
      return true;
    }
    if (place_ == Place::kEntry && field_ == "data_offsets") {
      place_ = Place::kRange;
      return true;
    }
    return reject(where() + "unexpected array");
  }

  bool number_unsigned(std::uint64_t value) override {
    if (place_ == Place::kShape && entry_.shape.size() < kDimensionsMax &&
        value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      entry_.shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (place_ == Place::kRange && entry_.range.size() < 2) {
      entry_.range.push_back(value);
      return true;
    }
    return reject(where() + "unexpected number");
  }

  bool end_array() override {
    place_ = Place::kEntry;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kTop) {
      place_ = Place::kEnd;
      return true;
    }
    if (place_ == Place::kEntry) {
      if (entry_.dtype.empty() || !entry_.has_shape || entry_.range.size() != 2) {
        return reject(where() + "dtype, shape or data_offsets is missing");
      }
      entries.push_back(std::move(entry_));
    }
    place_ = Place::kTop;
    return true;
  }

 private:
  enum class Place { kStart, kTop, kMetadata, kEntry, kShape, kRange, kEnd };

  [[nodiscard]] std::string where() const {
    return entry_.name.empty() ? "" : "tensor " + quote_name(entry_.name) + ": ";
  }

  Place place_ = Place::kStart;
  Entry entry_;
  std::string field_;
  std::set<std::string, std::less<>> names_;
  std::set<std::string, std::less<>> names_within_;
};

Result<StoredTensor> checked_tensor(Entry entry, std::uint64_t data_begin, std::uint64_t data_bytes) {
  const std::string place = "tensor " + quote_name(entry.name);
  const std::uint64_t begin = entry.range[0];
  const std::uint64_t end = entry.range[1];
  if (begin > end || end > data_bytes) {
    return fail(ErrorCode::kInvalidModel, place + ": its bytes [" + std::to_string(begin) + ", " + std::to_string(end) +
                                              ") do not lie in the " + std::to_string(data_bytes) +
                                              " bytes of data; the file may be incomplete");
  }
  const auto elements = checked_elements(entry.shape);
  if (!elements) return fail(ErrorCode::kInvalidModel, place + ": its shape overflows");
  const auto* type = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& t) { return t.name == entry.dtype; });
  const bool known = type != kTypes.end();
  if (known) {
    const auto bytes = checked_mul(*elements, type->bits / 8);
    if (!bytes || *bytes != end - begin) {
      return fail(ErrorCode::kInvalidModel,
                  place + ": shape and dtype do not fit its " + std::to_string(end - begin) + " bytes");
    }
  }
  return StoredTensor{.name = std::move(entry.name),
                      .dtype_name = std::move(entry.dtype),
                      .dtype = known ? type->dtype : std::nullopt,
                      .shape = std::move(entry.shape),
                      .offset = data_begin + begin,
                      .bytes = end - begin};
}

Result<void> check_ranges(const std::vector<StoredTensor>& tensors, std::uint64_t data_begin,
                          std::uint64_t data_bytes) {
  std::vector<const StoredTensor*> ordered;
  ordered.reserve(tensors.size());
  for (const StoredTensor& tensor : tensors) ordered.push_back(&tensor);
  // Empty tensors share their offset with the next one and come first.
  std::sort(ordered.begin(), ordered.end(), [](const StoredTensor* a, const StoredTensor* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  std::uint64_t expected = data_begin;
  for (const StoredTensor* tensor : ordered) {
    if (tensor->offset != expected) {
      return fail(ErrorCode::kInvalidModel,
                  "tensor " + quote_name(tensor->name) + ": its bytes " +
                      (tensor->offset < expected ? "overlap those of" : "leave a hole after") + " the tensor before");
    }
    expected += tensor->bytes;
  }
  if (expected != data_begin + data_bytes) {
    return fail(ErrorCode::kInvalidModel,
                "there are " + std::to_string(data_begin + data_bytes - expected) + " bytes after the last tensor");
  }
  return {};
}

}  // namespace

Result<std::vector<StoredTensor>> parse_safetensors_header(std::string_view json, std::uint64_t data_begin,
                                                           std::uint64_t data_bytes) {
  if (!json.starts_with('{')) return fail(ErrorCode::kInvalidModel, "the header does not start with '{'");
  HeaderEvents events;
  if (auto done = events.run(json); !done) return fail_at("header", std::move(done).error());
  std::vector<StoredTensor> tensors;
  tensors.reserve(events.entries.size());
  for (Entry& entry : events.entries) {
    auto tensor = checked_tensor(std::move(entry), data_begin, data_bytes);
    if (!tensor) return tl::unexpected(std::move(tensor).error());
    tensors.push_back(std::move(*tensor));
  }
  SIDA_TRY(check_ranges(tensors, data_begin, data_bytes));
  return tensors;
}

Result<std::vector<StoredTensor>> read_safetensors(const ReadOnlyFile& file) {
  constexpr std::uint64_t kPrefix = 8;
  if (file.size() < kPrefix) return fail(ErrorCode::kInvalidModel, "too short for a safetensors file");
  std::array<std::byte, kPrefix> prefix{};
  SIDA_TRY(file.read(0, prefix));
  std::uint64_t header_bytes = 0;
  for (std::size_t i = kPrefix; i-- > 0;)
    header_bytes = (header_bytes << 8U) | std::to_integer<std::uint64_t>(prefix[i]);
  if (header_bytes > kSafetensorsHeaderBytesMax || header_bytes > file.size() - kPrefix) {
    return fail(ErrorCode::kInvalidModel, "its header claims " + std::to_string(header_bytes) +
                                              " bytes, more than the file or the limit of 100 MB holds");
  }
  std::string json(header_bytes, '\0');
  SIDA_TRY(file.read(kPrefix, std::as_writable_bytes(std::span(json))));
  const std::uint64_t data_begin = kPrefix + header_bytes;
  return parse_safetensors_header(json, data_begin, file.size() - data_begin);
}

}  // namespace sida::model
