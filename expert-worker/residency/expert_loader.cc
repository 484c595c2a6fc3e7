#include "expert-worker/residency/expert_loader.h"

#include <algorithm>

namespace sida::worker {

Result<bool> ExpertLoader::step(ExpertLoad& load) {
  if (store_ != nullptr) return store_->read_next(load.key_, load.block_, memory_.slot(load.slot_));
  const model::ExpertTensors tensors = model_.expert(load.key_);
  switch (load.matrices_done_++) {
    case 0:
      SIDA_TRY(load_matrix(*tensors.wi, memory_.wi(load.slot_)));
      return false;
    case 1:
      SIDA_TRY(load_matrix(*tensors.wo, memory_.wo(load.slot_)));
      return true;
    default:
      SIDA_CHECK(!"the load is under way");
      return true;
  }
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

Result<void> ExpertLoader::load_matrix(const model::TensorInfo& tensor, std::span<std::byte> destination) {
  staging_.resize(tensor.bytes);
  SIDA_TRY(model_.weights().read(tensor, staging_));
  model_.weights().forget(tensor);
  pack(staging_.data(), tensor.dtype, tensor.shape[0], tensor.shape[1], memory_.shape().dtype, destination);
  return {};
}

std::size_t ExpertLoader::staging_bytes(const model::ModelDirectory& model, const store::StoreFile* store) {
  constexpr std::size_t kBegunAtMost = 2;
  if (store != nullptr) return kBegunAtMost * store->cache_bytes();
  if (model.geometry().moe_layers() == 0) return 0;
  const model::ExpertTensors first = model.expert({LayerId{0}, ExpertId{0}});
  return std::max(first.wi->bytes, first.wo->bytes);
}

}  // namespace sida::worker
