#include "predictor/training/default_shape.h"

#include <algorithm>

namespace sida::predictor {
namespace {

// One block for each of the model's: dense ones keep their width, expert layers become `inner` wide.
StackShape own_blocks(const std::vector<model::Block>& blocks, std::int64_t d_ff, std::int64_t inner) {
  StackShape shape;
  for (std::size_t block = 0; block < blocks.size(); ++block) {
    shape.inner.push_back(blocks[block].sparse ? inner : d_ff);
    if (blocks[block].sparse) shape.gates.push_back(static_cast<std::int64_t>(block));
  }
  return shape;
}

// Few blocks: the model's MoE layers are spread over them.
StackShape few_blocks(std::int64_t moe_layers, std::int64_t blocks, std::int64_t inner) {
  StackShape shape;
  shape.inner.assign(static_cast<std::size_t>(blocks), inner);
  for (std::int64_t layer = 0; layer < moe_layers; ++layer) {
    shape.gates.push_back(std::max<std::int64_t>(0, (layer + 1) * blocks / moe_layers - 1));
  }
  return shape;
}

// What comes after the last gate is not needed where nobody looks at the stack's end.
void end_with_last_gate(StackShape& shape) {
  if (shape.gates.empty()) {
    shape.inner.clear();
    return;
  }
  shape.inner.resize(static_cast<std::size_t>(shape.gates.back()) + 1);
  shape.inner.back() = 0;
}

}  // namespace

Result<NetworkShape> default_shape(const model::ModelDirectory& model, const TrainingOptions& options) {
  if (options.network == "published") {
    return NetworkShape{.variant = Variant::kPublished, .width = kPublishedWidth, .encoder = {}, .decoder = {}};
  }
  const auto& config = model.config();
  const auto& geometry = model.geometry();
  NetworkShape shape;
  shape.width = options.width > 0 ? options.width : config.d_model <= kOwnWidthMax ? config.d_model : kNarrowWidth;
  const std::int64_t inner = options.inner > 0 ? options.inner : 2 * shape.width;
  if (shape.width == config.d_model && options.blocks == 0) {
    shape.heads = config.num_heads;
    shape.head_width = config.d_kv;
    shape.encoder = own_blocks(geometry.encoder, config.d_ff, inner);
    shape.decoder = own_blocks(geometry.decoder, config.d_ff, inner);
  } else {
    shape.heads = 4;
    if (shape.width % shape.heads != 0) {
      return fail(ErrorCode::kInvalidArgument, "--width must be a multiple of " + std::to_string(shape.heads));
    }
    shape.head_width = shape.width / shape.heads;
    const std::int64_t blocks = options.blocks > 0 ? options.blocks : kFewBlocks;
    shape.encoder = few_blocks(geometry.encoder_moe_layers, blocks, inner);
    shape.decoder = few_blocks(geometry.decoder_moe_layers, blocks, inner);
  }
  end_with_last_gate(shape.decoder);
  if (!shape.has_decoder()) end_with_last_gate(shape.encoder);
  if (shape.encoder.inner.empty()) {
    return fail(ErrorCode::kInvalidArgument, "the model's encoder has no MoE layer: nothing to predict");
  }
  return shape;
}

bool mirrors(const NetworkShape& shape, const model::ModelDirectory& model) {
  const auto& config = model.config();
  return shape.variant == Variant::kMiniature && shape.width == config.d_model && shape.heads == config.num_heads &&
         shape.head_width == config.d_kv && config.num_buckets == kPositionBuckets &&
         shape.encoder.inner.size() <= model.geometry().encoder.size() &&
         shape.decoder.inner.size() <= model.geometry().decoder.size() &&
         std::all_of(shape.encoder.gates.begin(), shape.encoder.gates.end(),
                     [&](std::int64_t b) { return model.geometry().encoder[static_cast<std::size_t>(b)].sparse; });
}

}  // namespace sida::predictor
