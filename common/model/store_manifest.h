// What an expert store says about itself: experts.json. docs/store.md has the format.
//
// Offsets are not written down but follow from geometry and dtype, so a manifest can neither let blocks overlap nor
// point outside the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/model/fingerprint_type.h"
#include "common/tensor/dtype.h"

namespace sida::model {

inline constexpr std::string_view kStoreManifestFile = "experts.json";
inline constexpr std::string_view kStoreDataFile = "experts.bin";
inline constexpr int kStoreVersion = 1;

// Of the beginning of every block: the largest logical block of today's disks, and the size of a page. What direct
// reads need.
inline constexpr std::uint64_t kStoreAlignment = 4096;

// switch-c-2048 has 30,720 experts, whose manifest takes 0.7 MB.
inline constexpr std::uint64_t kStoreManifestBytesMax = 64U << 20U;

// The sizes of a store, and where each expert lies.
struct StoreGeometry {
  DType dtype = DType::kFloat32;  // Of the blocks: kFloat32 or kBFloat16.
  std::int64_t d_model = 0;
  std::int64_t d_ff = 0;
  std::int64_t moe_layers = 0;
  std::int64_t experts_per_layer = 0;

  [[nodiscard]] std::uint64_t experts() const { return static_cast<std::uint64_t>(moe_layers * experts_per_layer); }
  // wi, then wo, packed (common/tensor/packed_matrix.h).
  [[nodiscard]] std::uint64_t block_bytes() const;
  // From one block to the next: block_bytes rounded up to kStoreAlignment.
  [[nodiscard]] std::uint64_t stride_bytes() const;
  [[nodiscard]] std::uint64_t data_bytes() const { return experts() * stride_bytes(); }
  // Experts in order of layer, then of expert.
  [[nodiscard]] std::uint64_t index(ExpertKey key) const {
    return static_cast<std::uint64_t>(key.layer.value * experts_per_layer + key.expert.value);
  }
  [[nodiscard]] ExpertKey key(std::uint64_t index) const;

  bool operator==(const StoreGeometry&) const = default;
};

// kInvalidModel when a number is out of range or a product overflows. The methods above may then be called.
[[nodiscard]] Result<void> check(const StoreGeometry& geometry);

struct StoreManifest {
  StoreGeometry geometry;
  Fingerprint model{};                   // Of the model that it was made from.
  Fingerprint tokenizer{};               // tokenizer::fingerprint(); zero for a model without a tokeniser.
  std::vector<DType> source_dtypes;      // [experts, 2]: of wi and wo in the model that it was made from.
  std::vector<std::uint64_t> checksums;  // [experts]: XXH3, 64 bits, of block_bytes.

  bool operator==(const StoreManifest&) const = default;
};

[[nodiscard]] std::string to_json(const StoreManifest& manifest);

// Any bytes: kInvalidModel unless it is a manifest of this version, in a layout that this build computes with, in which
// everything agrees with everything.
[[nodiscard]] Result<StoreManifest> parse_store_manifest(std::string_view json);

}  // namespace sida::model
