// The bytes of the slots: one anonymous mapping, reserved at start and touched as slots are used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/result.h"
#include "common/model/store_manifest.h"
#include "common/tensor/packed_matrix.h"
#include "expert-worker/residency/slot_table.h"

namespace sida::worker {

// Sizes of one expert: wi [d_ff, d_model], wo [d_model, d_ff].
struct ExpertShape {
  std::int64_t d_model = 0;
  std::int64_t d_ff = 0;
  DType dtype = DType::kFloat32;  // Of the slots.

  [[nodiscard]] std::size_t wi_bytes() const { return packed_bytes(d_ff, d_model, dtype); }
  [[nodiscard]] std::size_t wo_bytes() const { return packed_bytes(d_model, d_ff, dtype); }
  [[nodiscard]] std::size_t bytes() const { return wi_bytes() + wo_bytes(); }  // A multiple of 64.
  // Of a slot: whole pages, as blocks of a store are, so that direct reads go straight into it.
  [[nodiscard]] std::size_t slot_bytes() const {
    return (bytes() + model::kStoreAlignment - 1) / model::kStoreAlignment * model::kStoreAlignment;
  }
};

// Any thread may ask for any slot; who writes and who reads it when is decided by SlotTable.
class SlotMemory {
 public:
  // kIo when the system does not give so much address space.
  static Result<SlotMemory> reserve(const ExpertShape& shape, std::uint32_t slots);
  SlotMemory(SlotMemory&& other) noexcept;
  SlotMemory& operator=(SlotMemory&&) = delete;
  ~SlotMemory();

  [[nodiscard]] std::span<std::byte> wi(SlotId slot) const { return {at(slot), shape_.wi_bytes()}; }
  [[nodiscard]] std::span<std::byte> wo(SlotId slot) const { return {at(slot) + shape_.wi_bytes(), shape_.wo_bytes()}; }
  // All of the slot: wi, wo, and padding. Aligned to model::kStoreAlignment.
  [[nodiscard]] std::span<std::byte> slot(SlotId slot) const { return {at(slot), shape_.slot_bytes()}; }
  // Valid while the slot holds an expert.
  [[nodiscard]] PackedFfn expert(SlotId slot) const;
  [[nodiscard]] const ExpertShape& shape() const { return shape_; }

 private:
  SlotMemory(const ExpertShape& shape, std::uint32_t slots, std::byte* data)
      : shape_(shape), slots_(slots), data_(data) {}
  [[nodiscard]] std::byte* at(SlotId slot) const { return data_ + slot.value * shape_.slot_bytes(); }
  [[nodiscard]] std::size_t mapped_bytes() const { return slots_ * shape_.slot_bytes(); }

  ExpertShape shape_;
  std::uint32_t slots_;
  std::byte* data_;
};

}  // namespace sida::worker
