#include "cli/bench/model_sizes.h"

#include <algorithm>

#include "common/model/compute_dtype.h"
#include "common/store/store_file.h"
#include "expert-worker/residency/expert_loader.h"
#include "expert-worker/residency/slot_memory.h"

namespace sida::bench {
namespace {

// Weights of a stack that one pass reads besides experts: attention with `projections` matrices per block, and the
// dense feed-forward networks. Norms, biases and gates are small.
std::int64_t trunk_weights(const model::ModelConfig& config, const std::vector<model::Block>& blocks,
                           std::int64_t projections) {
  const auto dense = std::ranges::count_if(blocks, [](const model::Block& block) { return !block.sparse; });
  return static_cast<std::int64_t>(blocks.size()) * projections * config.d_model * config.num_heads * config.d_kv +
         static_cast<std::int64_t>(dense) * 2 * config.d_model * config.d_ff;
}

// What a worker's reading takes besides its slots, whichever way it finds best: each worker measures that anew.
Result<std::uint64_t> staging_bytes_max(const model::ModelDirectory& model, DType slots) {
  if (model.store() == nullptr) return worker::ExpertLoader::staging_bytes(model, slots);
  const auto file = store::StoreFile::open(model, store::ReadMethod::kBuffered);
  if (!file) return tl::unexpected(file.error());
  return worker::ExpertLoader::staging_bytes(model, slots, &*file);
}

}  // namespace

Result<OffloadModel> sizes_of(const model::ModelDirectory& model, const std::string& dtype, std::int64_t workers) {
  const auto computed = model::compute_dtype(dtype, model);
  if (!computed) return tl::unexpected(computed.error());
  const model::ModelConfig& config = model.config();
  const auto element = static_cast<std::int64_t>(bytes_per_element(*computed));
  const worker::ExpertShape shape{config.d_model, config.d_ff, *computed};
  OffloadModel sizes;
  sizes.name = std::filesystem::weakly_canonical(model.path()).filename().string();
  sizes.dtype = std::string(sida::name(*computed));
  sizes.experts_per_layer = config.num_experts;
  sizes.encoder_moe_layers = model.geometry().encoder_moe_layers;
  sizes.decoder_moe_layers = model.geometry().decoder_moe_layers;
  sizes.expert_bytes = shape.slot_bytes();
  // A decoder step reads six projections per block: those of the source's keys and values were done with the source.
  sizes.encoder_trunk_bytes =
      static_cast<std::uint64_t>(element * (trunk_weights(config, model.geometry().encoder, 4) +
                                            static_cast<std::int64_t>(model.geometry().decoder.size()) * 2 *
                                                config.d_model * config.num_heads * config.d_kv));
  sizes.decoder_trunk_bytes = static_cast<std::uint64_t>(
      element * (trunk_weights(config, model.geometry().decoder, 6) + config.vocab_size * config.d_model));
  const auto staging = staging_bytes_max(model, *computed);
  if (!staging) return tl::unexpected(staging.error());
  sizes.memory_bytes_min = static_cast<std::uint64_t>(workers) * (2 * shape.slot_bytes() + *staging);
  return sizes;
}

}  // namespace sida::bench
