#include "predictor/hash/token_id_table.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "common/model/token_experts.h"
#include "predictor/hash/table_file.h"

namespace sida::predictor {
namespace {

std::string tensor_prefix(const model::ModelGeometry& geometry, LayerId layer) {
  const model::BlockPosition at = model::position(geometry, layer);
  return (at.stack == model::Stack::kEncoder ? "encoder." : "decoder.") + std::to_string(at.block) + ".";
}

// The layers of a table need no state; something must stand for it.
class NoState final : public SequenceState {};

}  // namespace

Result<TokenIdTable> TokenIdTable::open(const std::filesystem::path& file, std::int64_t k, const ServedModel& model) {
  auto opened = PredictorFile::open(file);
  if (!opened) return tl::unexpected(std::move(opened).error());
  const TableShape shape{model.vocab_size, k, model.num_experts};
  std::vector<Layer> layers;
  for (std::int32_t index = 0; index < model.geometry.moe_layers(); ++index) {
    const std::string prefix = tensor_prefix(model.geometry, LayerId{index});
    auto experts = read_experts(*opened, prefix + "experts", shape);
    if (!experts) return tl::unexpected(std::move(experts).error());
    auto confidences = read_confidences(*opened, prefix + "confidence", shape);
    if (!confidences) return tl::unexpected(std::move(confidences).error());
    layers.push_back({std::move(*experts), std::move(*confidences)});
  }
  SIDA_TRY(opened->check_all_read());
  auto fingerprint = opened->fingerprint();
  if (!fingerprint) return tl::unexpected(std::move(fingerprint).error());
  HashFunctionInfo info{.kind = "token_id_table",
                        .predictor = *fingerprint,
                        .encoder_layers = model.geometry.encoder_moe_layers,
                        .decoder_layers = model.geometry.decoder_moe_layers,
                        .k_max = static_cast<std::uint8_t>(k)};
  return TokenIdTable(std::move(info), model.vocab_size, std::move(layers));
}

Result<TokenIdTable> TokenIdTable::predefined(const model::ModelDirectory& model) {
  const model::ModelGeometry& geometry = model.geometry();
  std::vector<Layer> layers;
  for (std::int32_t index = 0; index < geometry.moe_layers(); ++index) {
    auto experts = model::read_token_experts(model, LayerId{index});
    if (!experts) return tl::unexpected(std::move(experts).error());
    std::vector<float> certain(experts->size(), 1.0F);
    layers.push_back({std::move(*experts), std::move(certain)});
  }
  // The tables are part of the model, and so of its fingerprint.
  HashFunctionInfo info{.kind = kPredefinedKind,
                        .predictor = model.fingerprint(),
                        .encoder_layers = geometry.encoder_moe_layers,
                        .decoder_layers = geometry.decoder_moe_layers,
                        .k_max = 1};
  return TokenIdTable(std::move(info), model.config().vocab_size, std::move(layers));
}

Predictions TokenIdTable::look_up(std::span<const std::int32_t> tokens, std::size_t k, std::int32_t first,
                                  std::int32_t count) const {
  SIDA_CHECK(k >= 1 && k <= info_.k_max);
  Predictions found{.layers = static_cast<std::uint32_t>(count),
                    .tokens = static_cast<std::uint32_t>(tokens.size()),
                    .k = static_cast<std::uint8_t>(k),
                    .experts = {},
                    .confidences = {}};
  const std::size_t entries = static_cast<std::size_t>(count) * tokens.size() * k;
  found.experts.assign(entries, -1);
  found.confidences.assign(entries, 0.0F);
  std::size_t entry = 0;
  for (std::int32_t index = first; index < first + count; ++index) {
    const Layer& layer = layers_[static_cast<std::size_t>(index)];
    for (const std::int32_t token : tokens) {
      if (token >= 0 && token < vocab_size_) {
        const std::size_t row = static_cast<std::size_t>(token) * info_.k_max;
        std::copy_n(layer.experts.data() + row, k, found.experts.data() + entry);
        std::copy_n(layer.confidences.data() + row, k, found.confidences.data() + entry);
      }
      entry += k;
    }
  }
  return found;
}

std::vector<Beginning> TokenIdTable::begin(std::span<const Source> sources) {
  std::vector<Beginning> all;
  for (const Source& source : sources) {
    all.push_back({look_up(source.tokens, source.k, 0, info_.encoder_layers), std::make_unique<NoState>()});
  }
  return all;
}

std::vector<Predictions> TokenIdTable::advance(std::span<const DecoderInput> inputs) {
  std::vector<Predictions> all;
  for (const DecoderInput& input : inputs) {
    all.push_back(look_up({&input.token, 1}, input.k, info_.encoder_layers, info_.decoder_layers));
  }
  return all;
}

}  // namespace sida::predictor
