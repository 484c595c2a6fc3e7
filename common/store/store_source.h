// What a store is made from: a model directory, or nothing but a seed.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/model/tensor_file_writer.h"
#include "common/store/expert_bands.h"

namespace sida::store {

struct StoreContents {
  std::string identity;                     // Lines. Sources with equal ones make equal stores.
  model::StoreGeometry geometry;            // dtype: of the blocks.
  std::vector<model::TensorToWrite> trunk;  // All tensors but the experts', by canonical name, sorted.
  std::vector<DType> expert_dtypes;         // [experts, 2]: of wi and wo before they are packed.
  model::Fingerprint tokenizer{};           // Zero without one.
  std::optional<model::Fingerprint> model;  // Nothing: it is only known when the trunk is written.
};

class StoreSource {
 public:
  virtual ~StoreSource() = default;

  [[nodiscard]] virtual const StoreContents& contents() const = 0;

  // Writes everything but weights: configuration, tokeniser, predictor. Errors: kIo with the path.
  [[nodiscard]] virtual Result<void> write_description(const std::filesystem::path& directory) = 0;

  // Bytes of a tensor of the trunk, from `first_byte` on. One thread.
  [[nodiscard]] virtual Result<void> read_trunk(const model::TensorToWrite& tensor, std::uint64_t first_byte,
                                                std::span<std::byte> destination) = 0;

  // The rows of a band of an expert, row-major, in its type of contents().expert_dtypes. Any thread.
  [[nodiscard]] virtual Result<void> read_rows(ExpertKey key, const Band& band,
                                               std::span<std::byte> destination) const = 0;
};

}  // namespace sida::store
