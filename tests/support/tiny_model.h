// A model directory of a few kilobytes with random weights.
#pragma once

#include <filesystem>

#include "common/model/make_model.h"

namespace sida::test {

// Four encoder and two decoder blocks, every second one sparse, three experts.
inline model::Blueprint tiny_blueprint() {
  model::Blueprint blueprint;
  blueprint.config.vocab_size = 40;
  blueprint.config.d_model = 8;
  blueprint.config.d_kv = 4;
  blueprint.config.d_ff = 12;
  blueprint.config.num_heads = 2;
  blueprint.config.num_experts = 3;
  blueprint.encoder_layers = 4;
  blueprint.decoder_layers = 2;
  blueprint.encoder_sparse_step = 2;
  blueprint.decoder_sparse_step = 2;
  return blueprint;
}

// Writes it to `directory`, which must not exist. A failure is a broken test machine.
inline void write_model(const std::filesystem::path& directory, const model::Blueprint& blueprint,
                        const model::MakeModelOptions& options = {}) {
  SIDA_CHECK(model::make_model(directory, blueprint, options, nullptr).has_value());
}

}  // namespace sida::test
