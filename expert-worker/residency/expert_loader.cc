#include "expert-worker/residency/expert_loader.h"

#include <algorithm>

namespace sida::worker {

namespace {

std::vector<store::Band> bands_of(const model::ModelDirectory& model, DType slots) {
  const auto& config = model.config();
  return store::expert_bands({.dtype = slots, .d_model = config.d_model, .d_ff = config.d_ff});
}

std::size_t stored_bytes(const store::Band& band, DType dtype) {
  return static_cast<std::size_t>(band.rows * band.columns) * bytes_per_element(dtype);
}

}  // namespace

ExpertLoader::ExpertLoader(const model::ModelDirectory& model, SlotMemory& memory, const store::StoreFile* store)
    : model_(model), memory_(memory), store_(store), bands_(bands_of(model, memory.shape().dtype)) {}

std::size_t ExpertLoader::pieces() const {
  if (store_ == nullptr) return bands_.size();
  return (memory_.shape().slot_bytes() + store::kReadBytes - 1) / store::kReadBytes;
}

Result<bool> ExpertLoader::step(ExpertLoad& load) {
  if (store_ != nullptr) return store_->read_next(load.key_, load.block_, memory_.slot(load.slot_));
  SIDA_CHECK(load.bands_done_ < bands_.size());
  SIDA_TRY(load_band(load.key_, load.slot_, bands_[load.bands_done_]));
  return ++load.bands_done_ == bands_.size();
}

void ExpertLoader::abandon(const ExpertLoad& load) const {
  if (store_ != nullptr) store_->abandon(load.key_, load.block_);
}

Result<void> ExpertLoader::load(ExpertKey key, SlotId slot) {
  ExpertLoad load = begin(key, slot);
  while (true) {
    const auto whole = step(load);
    if (!whole) return tl::unexpected(whole.error());
    if (*whole) return {};
  }
}

// As a tensor of its own, which the rows of a band are.
Result<void> ExpertLoader::load_band(ExpertKey key, SlotId slot, const store::Band& band) {
  const model::ExpertTensors tensors = model_.expert(key);
  model::TensorInfo rows = band.matrix == store::Matrix::kWi ? *tensors.wi : *tensors.wo;
  rows.offset += static_cast<std::uint64_t>(band.first_row * band.columns) * bytes_per_element(rows.dtype);
  rows.bytes = stored_bytes(band, rows.dtype);
  staging_.resize(rows.bytes);
  SIDA_TRY(model_.weights().read(rows, staging_));
  model_.weights().forget(rows);
  pack(staging_.data(), rows.dtype, band.rows, band.columns, memory_.shape().dtype,
       memory_.slot(slot).subspan(band.offset, band.bytes));
  return {};
}

std::size_t ExpertLoader::staging_bytes(const model::ModelDirectory& model, DType slots,
                                        const store::StoreFile* store) {
  constexpr std::size_t kBegunAtMost = 2;
  if (store != nullptr) return kBegunAtMost * store->cache_bytes();
  if (model.geometry().moe_layers() == 0) return 0;
  const model::ExpertTensors first = model.expert({LayerId{0}, ExpertId{0}});
  std::size_t most = 0;
  for (const store::Band& band : bands_of(model, slots)) {
    most = std::max(most, stored_bytes(band, (band.matrix == store::Matrix::kWi ? first.wi : first.wo)->dtype));
  }
  return most;
}

}  // namespace sida::worker
