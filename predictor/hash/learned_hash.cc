#include "predictor/hash/learned_hash.h"

#include <set>
#include <utility>

#include "predictor/file/predictor_file.h"
#include "predictor/hash/best_experts.h"
#include "predictor/network/miniature.h"
#include "predictor/network/packed_weights.h"
#include "predictor/network/published.h"

namespace sida::predictor {
namespace {

class LearnedState final : public SequenceState {
 public:
  explicit LearnedState(std::unique_ptr<DecoderMemory> memory) : memory_(std::move(memory)) {}
  [[nodiscard]] DecoderMemory* memory() const { return memory_.get(); }

 private:
  std::unique_ptr<DecoderMemory> memory_;
};

Predictions no_predictions(std::size_t layers, std::size_t tokens, std::uint8_t k) {
  Predictions none{static_cast<std::uint32_t>(layers), static_cast<std::uint32_t>(tokens), k, {}, {}};
  none.experts.assign(layers * tokens * k, -1);
  none.confidences.assign(none.experts.size(), 0.0F);
  return none;
}

// Fills the place of `token` in layer `layer` from a row of logits.
void name_experts(const OwnedRows& logits, std::int64_t row, std::size_t layer, std::size_t token, Predictions& to) {
  const std::size_t at = (layer * to.tokens + token) * to.k;
  best_experts({logits.part(row, 1).f32(), static_cast<std::size_t>(logits.columns())},
               std::span(to.experts).subspan(at, to.k), std::span(to.confidences).subspan(at, to.k));
}

// Keys and values of every decoder block.
void count_state(const NetworkShape& shape, DType compute, HashFunctionInfo& info) {
  const std::size_t row =
      2 * shape.decoder.inner.size() * static_cast<std::size_t>(shape.inside_attention()) * bytes_per_element(compute);
  info.state_bytes = 2 * static_cast<std::size_t>(kDecoderWindow) * row;
  info.state_bytes_per_source_token = row;
}

}  // namespace

ModelShape model_shape(const ServedModel& model) {
  return {model.vocab_size, model.directory == nullptr ? 0 : model.directory->config().d_model, model.num_experts,
          model.geometry.encoder_moe_layers, model.geometry.decoder_moe_layers};
}

Result<std::unique_ptr<LearnedHash>> LearnedHash::open(const std::filesystem::path& file, const NetworkShape& shape,
                                                       std::int64_t k, const ServedModel& model, DType compute) {
  SIDA_CHECK(model.directory != nullptr);
  auto opened = PredictorFile::open(file);
  if (!opened) return tl::unexpected(std::move(opened).error());
  const ModelShape of_model = model_shape(model);
  const bool published = shape.variant == Variant::kPublished;
  auto weights = PackedWeights::load(*opened, shape, of_model, published ? DType::kFloat32 : compute);
  if (!weights) return tl::unexpected(std::move(weights).error());
  auto fingerprint = opened->fingerprint();
  if (!fingerprint) return tl::unexpected(std::move(fingerprint).error());
  auto embedding = TokenEmbedding::read(*model.directory);
  if (!embedding) return tl::unexpected(std::move(embedding).error());
  auto backend = compute::make_cpu_backend({});
  if (!backend) return tl::unexpected(std::move(backend).error());

  auto table = std::make_unique<TokenEmbedding>(std::move(*embedding));
  std::unique_ptr<Network> network;
  if (published) {
    network = std::make_unique<Published>(shape, of_model, std::move(*weights), *table, **backend);
  } else {
    network = std::make_unique<Miniature>(shape, std::move(*weights), *table, **backend);
  }
  HashFunctionInfo info{.kind = published ? "learned (published)" : "learned",
                        .predictor = *fingerprint,
                        .encoder_layers = model.geometry.encoder_moe_layers,
                        .decoder_layers = model.geometry.decoder_moe_layers,
                        .names_decoder = !published,
                        .k_max = static_cast<std::uint8_t>(k)};
  count_state(shape, compute, info);
  return std::unique_ptr<LearnedHash>(
      new LearnedHash(std::move(info), std::move(table), std::move(*backend), std::move(network)));
}

std::vector<Beginning> LearnedHash::begin(std::span<const Source> sources) {
  std::vector<std::span<const std::int32_t>> tokens;
  for (const Source& source : sources) tokens.push_back(source.tokens);
  std::vector<Beginning> begun;
  for (EncodedSource& encoded : network_->encode(tokens)) {
    const Source& source = sources[begun.size()];
    Predictions found = no_predictions(encoded.logits.size(), source.tokens.size(), source.k);
    for (std::size_t token = 0; token < source.tokens.size(); ++token) {
      if (!embedding_->knows(source.tokens[token])) continue;
      for (std::size_t layer = 0; layer < encoded.logits.size(); ++layer) {
        name_experts(encoded.logits[layer], static_cast<std::int64_t>(token), layer, token, found);
      }
    }
    begun.push_back({std::move(found), std::make_unique<LearnedState>(std::move(encoded.memory))});
  }
  return begun;
}

std::vector<Predictions> LearnedHash::advance(std::span<const DecoderInput> inputs) {
  std::vector<Predictions> results(inputs.size());
  // Tokens of one decoder depend on each other: each goes into a pass of its own, in order.
  std::vector<std::size_t> left(inputs.size());
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
  while (!left.empty()) {
    std::set<const SequenceState*> taken;
    std::vector<std::size_t> now;
    std::vector<std::size_t> later;
    for (const std::size_t i : left) (taken.insert(inputs[i].state).second ? now : later).push_back(i);
    advance_once(inputs, now, results);
    left = std::move(later);
  }
  return results;
}

void LearnedHash::advance_once(std::span<const DecoderInput> inputs, std::span<const std::size_t> indices,
                               std::vector<Predictions>& results) {
  std::vector<DecoderToken> tokens;
  for (const std::size_t i : indices) {
    DecoderMemory* memory = static_cast<const LearnedState*>(inputs[i].state)->memory();
    if (memory == nullptr) return;  // A network of the encoder alone has none for anybody.
    tokens.push_back({memory, inputs[i].token});
  }
  const std::vector<OwnedRows> logits = network_->decode(tokens);
  for (std::size_t row = 0; row < indices.size(); ++row) {
    const DecoderInput& input = inputs[indices[row]];
    Predictions& found = results[indices[row]] = no_predictions(logits.size(), 1, input.k);
    if (!embedding_->knows(input.token)) continue;
    for (std::size_t layer = 0; layer < logits.size(); ++layer) {
      name_experts(logits[layer], static_cast<std::int64_t>(row), layer, 0, found);
    }
  }
}

}  // namespace sida::predictor
