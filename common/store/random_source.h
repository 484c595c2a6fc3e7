// A store of random weights with a known geometry: the same values as make_model gives.
#pragma once

#include <cstdint>

#include "common/model/geometry.h"
#include "common/model/released_models.h"
#include "common/store/store_source.h"

namespace sida::store {

class RandomSource : public StoreSource {
 public:
  // blueprint.config.dtype: of the weights before they are packed. Blocks are in bf16 if that is bf16, else in fp32.
  RandomSource(model::Blueprint blueprint, std::uint64_t seed);

  [[nodiscard]] const StoreContents& contents() const override { return contents_; }
  [[nodiscard]] Result<void> write_description(const std::filesystem::path& directory) override;
  [[nodiscard]] Result<void> read_trunk(const model::TensorToWrite& tensor, std::uint64_t first_byte,
                                        std::span<std::byte> destination) override;
  [[nodiscard]] Result<void> read_rows(ExpertKey key, const Band& band,
                                       std::span<std::byte> destination) const override;

 private:
  model::Blueprint blueprint_;
  model::ModelGeometry geometry_;
  std::uint64_t seed_;
  StoreContents contents_;
};

}  // namespace sida::store
