#include "common/model/store_manifest.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "common/base/checked_math.h"
#include "common/model/fingerprint.h"
#include "common/model/json_events.h"
#include "common/model/quote_name.h"
#include "common/tensor/packed_matrix.h"

namespace sida::model {
namespace {

constexpr std::string_view kFormat = "sida-experts";
constexpr std::string_view kChecksum = "xxh3-64";

// As config.json may have them (model_config.cc), both stacks together.
constexpr std::int64_t kWidthMax = 1 << 20;
constexpr std::int64_t kMoeLayersMax = 1 << 11;
constexpr std::int64_t kExpertsPerLayerMax = 1 << 16;

constexpr std::array kSourceDTypes{DType::kFloat32, DType::kBFloat16, DType::kFloat16};

std::string hexadecimal(std::uint64_t value) {
  std::string text(16, '0');
  for (std::size_t i = 0; i < text.size(); ++i) text[15 - i] = "0123456789abcdef"[(value >> (4 * i)) & 0xfU];
  return text;
}

std::optional<std::uint64_t> parse_hexadecimal(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
    value = (value << 4U) | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return value;
}

std::optional<Fingerprint> parse_fingerprint(std::string_view text) {
  Fingerprint fingerprint{};
  if (text.size() != 2 * fingerprint.size()) return std::nullopt;
  for (std::size_t i = 0; i < fingerprint.size(); i += 8) {
    const auto part = parse_hexadecimal(text.substr(2 * i, 16));
    if (!part) return std::nullopt;
    for (std::size_t byte = 0; byte < 8; ++byte) {
      fingerprint[i + byte] = static_cast<std::uint8_t>(*part >> (56 - 8 * byte));
    }
  }
  return fingerprint;
}

std::optional<DType> dtype_named(std::string_view wanted) {
  const auto* found = std::ranges::find_if(kSourceDTypes, [&](DType dtype) { return name(dtype) == wanted; });
  return found == kSourceDTypes.end() ? std::nullopt : std::optional(*found);
}

// The manifest as it is written; what follows from the rest is read too, to be compared.
struct Fields {
  std::map<std::string, std::string, std::less<>> texts;
  std::map<std::string, std::uint64_t, std::less<>> numbers;
  std::vector<std::pair<DType, std::uint64_t>> source_dtypes;  // So many matrices of this type, then of the next.
  std::vector<std::uint64_t> checksums;
};

constexpr std::array<std::string_view, 6> kTexts{"format", "layout", "dtype", "model", "tokenizer", "checksum"};
constexpr std::array<std::string_view, 9> kNumbers{"version",     "d_model",           "d_ff",
                                                   "moe_layers",  "experts_per_layer", "alignment",
                                                   "block_bytes", "stride_bytes",      "data_bytes"};
constexpr std::string_view kSourceDTypesKey = "source_dtypes";
constexpr std::string_view kChecksumsKey = "checksums";

class ManifestEvents : public JsonEvents {
 public:
  Fields fields;

  bool start_object(std::size_t) override {
    if (place_ != Place::kStart) return reject("unexpected object in " + quote_name(key_));
    place_ = Place::kTop;
    return true;
  }

  bool end_object() override {
    place_ = Place::kEnd;
    return true;
  }

  bool key(std::string& name) override {
    key_ = name;
    return keys_.insert(name).second || reject(quote_name(name) + " appears twice");
  }

  bool string(std::string& text) override {
    if (place_ == Place::kChecksums) {
      const auto value = parse_hexadecimal(text);
      if (!value) return reject("a checksum is not 16 hexadecimal digits");
      fields.checksums.push_back(*value);
      return true;
    }
    if (place_ == Place::kRun) {
      const auto dtype = dtype_named(text);
      if (run_dtype_ || !dtype) return reject("'source_dtypes' names " + quote_name(text));
      run_dtype_ = dtype;
      return true;
    }
    if (place_ != Place::kTop || std::ranges::find(kTexts, key_) == kTexts.end()) {
      return reject("unexpected text in " + quote_name(key_));
    }
    fields.texts.emplace(key_, text);
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (place_ == Place::kRun && run_dtype_) {
      fields.source_dtypes.emplace_back(*run_dtype_, value);
      run_dtype_.reset();
      place_ = Place::kRunEnd;
      return true;
    }
    if (place_ != Place::kTop || std::ranges::find(kNumbers, key_) == kNumbers.end()) {
      return reject("unexpected number in " + quote_name(key_));
    }
    fields.numbers.emplace(key_, value);
    // At once: another version may have what this one rejects.
    return key_ != "version" || value == kStoreVersion ||
           reject("the store is of version " + std::to_string(value) + ", this build reads version " +
                  std::to_string(kStoreVersion) + "; make it again with this build's 'sida convert'");
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::kTop && key_ == kChecksumsKey) {
      place_ = Place::kChecksums;
    } else if (place_ == Place::kTop && key_ == kSourceDTypesKey) {
      place_ = Place::kRuns;
    } else if (place_ == Place::kRuns) {
      place_ = Place::kRun;
    } else {
      return reject("unexpected array in " + quote_name(key_));
    }
    return true;
  }

  bool end_array() override {
    if (place_ == Place::kRun) return reject("'source_dtypes' has a pair that is none");
    place_ = place_ == Place::kRunEnd ? Place::kRuns : Place::kTop;
    return true;
  }

 private:
  enum class Place { kStart, kTop, kChecksums, kRuns, kRun, kRunEnd, kEnd };

  Place place_ = Place::kStart;
  std::string key_;
  std::optional<DType> run_dtype_;
  std::set<std::string, std::less<>> keys_;
};

Result<void> wrong(std::string_view key, std::string_view is, std::string_view wanted) {
  return fail(ErrorCode::kInvalidModel,
              "'" + std::string(key) + "' is " + quote_name(is) + ", not '" + std::string(wanted) + "'");
}

Result<void> check_all_there(const Fields& fields) {
  for (const std::string_view key : kTexts) {
    if (!fields.texts.contains(key)) return fail(ErrorCode::kInvalidModel, "'" + std::string(key) + "' is missing");
  }
  for (const std::string_view key : kNumbers) {
    if (!fields.numbers.contains(key)) return fail(ErrorCode::kInvalidModel, "'" + std::string(key) + "' is missing");
  }
  if (fields.texts.at("format") != kFormat) return wrong("format", fields.texts.at("format"), kFormat);
  if (fields.texts.at("checksum") != kChecksum) return wrong("checksum", fields.texts.at("checksum"), kChecksum);
  return {};
}

Result<StoreGeometry> geometry_of(const Fields& fields) {
  const auto dtype = dtype_named(fields.texts.at("dtype"));
  if (!dtype || *dtype == DType::kFloat16) {
    return fail(ErrorCode::kInvalidModel, "'dtype' is " + quote_name(fields.texts.at("dtype")) + ", not fp32 or bf16");
  }
  const auto number = [&](std::string_view key) {
    constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(std::min(fields.numbers.find(key)->second, kLargest));
  };
  const StoreGeometry geometry{.dtype = *dtype,
                               .d_model = number("d_model"),
                               .d_ff = number("d_ff"),
                               .moe_layers = number("moe_layers"),
                               .experts_per_layer = number("experts_per_layer")};
  SIDA_TRY(check(geometry));
  const std::string& layout = fields.texts.at("layout");
  if (layout != packed_layout(*dtype)) {
    return fail(ErrorCode::kInvalidModel, "its experts lie in layout " + quote_name(layout) +
                                              ", this build computes with '" + std::string(packed_layout(*dtype)) +
                                              "'; make the store again with this build's 'sida convert'");
  }
  return geometry;
}

// What is written twice must be the same twice.
Result<void> check_sizes(const Fields& fields, const StoreGeometry& geometry) {
  const std::array<std::pair<std::string_view, std::uint64_t>, 4> follows{{{"alignment", kStoreAlignment},
                                                                           {"block_bytes", geometry.block_bytes()},
                                                                           {"stride_bytes", geometry.stride_bytes()},
                                                                           {"data_bytes", geometry.data_bytes()}}};
  for (const auto& [key, value] : follows) {
    const std::uint64_t stated = fields.numbers.find(key)->second;
    if (stated != value) {
      return fail(ErrorCode::kInvalidModel, "'" + std::string(key) + "' is " + std::to_string(stated) +
                                                ", the other numbers make it " + std::to_string(value));
    }
  }
  if (fields.checksums.size() != geometry.experts()) {
    return fail(ErrorCode::kInvalidModel, "there are " + std::to_string(fields.checksums.size()) + " checksums for " +
                                              std::to_string(geometry.experts()) + " experts");
  }
  return {};
}

Result<std::vector<DType>> expand(const std::vector<std::pair<DType, std::uint64_t>>& runs, std::uint64_t matrices) {
  std::vector<DType> dtypes;
  bool fits = true;
  for (const auto& [dtype, count] : runs) {
    fits = fits && count <= matrices - dtypes.size();
    if (fits) dtypes.insert(dtypes.end(), count, dtype);
  }
  if (!fits || dtypes.size() != matrices) {
    return fail(ErrorCode::kInvalidModel, "'source_dtypes' counts another number than the " + std::to_string(matrices) +
                                              " matrices that there are");
  }
  return dtypes;
}

nlohmann::ordered_json runs_of(const std::vector<DType>& dtypes) {
  auto runs = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < dtypes.size();) {
    std::size_t end = i;
    while (end < dtypes.size() && dtypes[end] == dtypes[i]) ++end;
    runs.push_back({name(dtypes[i]), end - i});
    i = end;
  }
  return runs;
}

}  // namespace

std::uint64_t StoreGeometry::block_bytes() const {
  return packed_bytes(d_ff, d_model, dtype) + packed_bytes(d_model, d_ff, dtype);
}

std::uint64_t StoreGeometry::stride_bytes() const {
  return (block_bytes() + kStoreAlignment - 1) / kStoreAlignment * kStoreAlignment;
}

ExpertKey StoreGeometry::key(std::uint64_t index) const {
  const auto per_layer = static_cast<std::uint64_t>(experts_per_layer);
  return {LayerId(static_cast<std::int32_t>(index / per_layer)),
          ExpertId(static_cast<std::int32_t>(index % per_layer))};
}

Result<void> check(const StoreGeometry& geometry) {
  struct Bound {
    const char* key;
    std::int64_t value;
    std::int64_t max;
  };
  for (const Bound& bound : {Bound{"d_model", geometry.d_model, kWidthMax}, Bound{"d_ff", geometry.d_ff, kWidthMax},
                             Bound{"moe_layers", geometry.moe_layers, kMoeLayersMax},
                             Bound{"experts_per_layer", geometry.experts_per_layer, kExpertsPerLayerMax}}) {
    if (bound.value >= 1 && bound.value <= bound.max) continue;
    return fail(ErrorCode::kInvalidModel, "'" + std::string(bound.key) + "' is " + std::to_string(bound.value) +
                                              ", not from 1 to " + std::to_string(bound.max));
  }
  // Within these bounds a block has less than 2^44 bytes, and there are at most 2^27.
  if (!checked_mul(geometry.experts(), geometry.stride_bytes()) ||
      geometry.data_bytes() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return fail(ErrorCode::kInvalidModel, "its sizes overflow");
  }
  return {};
}

std::string to_json(const StoreManifest& manifest) {
  const StoreGeometry& geometry = manifest.geometry;
  auto checksums = nlohmann::ordered_json::array();
  for (const std::uint64_t checksum : manifest.checksums) checksums.push_back(hexadecimal(checksum));
  const nlohmann::ordered_json json{{"format", kFormat},
                                    {"version", kStoreVersion},
                                    {"layout", packed_layout(geometry.dtype)},
                                    {"dtype", name(geometry.dtype)},
                                    {"d_model", geometry.d_model},
                                    {"d_ff", geometry.d_ff},
                                    {"moe_layers", geometry.moe_layers},
                                    {"experts_per_layer", geometry.experts_per_layer},
                                    {"alignment", kStoreAlignment},
                                    {"block_bytes", geometry.block_bytes()},
                                    {"stride_bytes", geometry.stride_bytes()},
                                    {"data_bytes", geometry.data_bytes()},
                                    {"model", to_hex(manifest.model)},
                                    {"tokenizer", to_hex(manifest.tokenizer)},
                                    {"source_dtypes", runs_of(manifest.source_dtypes)},
                                    {"checksum", kChecksum},
                                    {"checksums", std::move(checksums)}};
  return json.dump(1) + "\n";
}

Result<StoreManifest> parse_store_manifest(std::string_view json) {
  ManifestEvents events;
  SIDA_TRY(events.run(json));
  const Fields& fields = events.fields;
  SIDA_TRY(check_all_there(fields));
  const auto geometry = geometry_of(fields);
  if (!geometry) return tl::unexpected(geometry.error());
  SIDA_TRY(check_sizes(fields, *geometry));
  const auto model = parse_fingerprint(fields.texts.at("model"));
  const auto tokenizer = parse_fingerprint(fields.texts.at("tokenizer"));
  if (!model || !tokenizer) {
    return fail(ErrorCode::kInvalidModel, "'model' or 'tokenizer' is not a fingerprint of 64 hexadecimal digits");
  }
  auto dtypes = expand(fields.source_dtypes, 2 * geometry->experts());
  if (!dtypes) return tl::unexpected(std::move(dtypes).error());
  return StoreManifest{.geometry = *geometry,
                       .model = *model,
                       .tokenizer = *tokenizer,
                       .source_dtypes = *std::move(dtypes),
                       .checksums = std::move(events.fields.checksums)};
}

}  // namespace sida::model
