// Any predictor.json "network" and weights.safetensors, one after the other with a zero byte between: an error that
// names what is wrong, or a hash function whose every answer is an expert of the model.
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "predictor/file/predictor_file.h"
#include "predictor/hash/best_experts.h"
#include "predictor/network/miniature.h"
#include "predictor/network/published.h"
#include "tests/support/memory_file.h"

namespace {

using namespace sida;
using namespace sida::predictor;

constexpr ModelShape kModel{.vocab_size = 4, .d_model = 4, .num_experts = 3, .encoder_layers = 2, .decoder_layers = 1};

void check_logits(const std::vector<OwnedRows>& logits) {
  for (const OwnedRows& layer : logits) {
    SIDA_CHECK(layer.columns() == kModel.num_experts);
    for (std::int64_t row = 0; row < layer.count(); ++row) {
      std::int16_t experts[2];
      float confidences[2];
      best_experts({layer.part(row, 1).f32(), 3}, experts, confidences);
      for (const std::int16_t expert : experts) SIDA_CHECK(expert >= -1 && expert < 3);
      for (const float confidence : confidences) SIDA_CHECK(confidence >= 0 && confidence <= 1);
    }
  }
}

void use(Network& network) {
  const std::vector<std::int32_t> tokens{0, 3, 1};
  const std::span<const std::int32_t> source(tokens);
  const auto encoded = network.encode({&source, 1});
  check_logits(encoded.at(0).logits);
  if (encoded[0].memory == nullptr) return;
  const DecoderToken input{encoded[0].memory.get(), 2};
  check_logits(network.decode({&input, 1}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(bytes.find('\0'), bytes.size());
  const auto json = nlohmann::json::parse(bytes.substr(0, end), nullptr, /*allow_exceptions=*/false);
  const auto shape = parse_network_shape(json, kModel);
  if (!shape) {
    SIDA_CHECK(shape.error().code == ErrorCode::kInvalidModel);
    return 0;
  }
  const test::MemoryFile memory(bytes.substr(std::min(end + 1, bytes.size())));
  auto file = PredictorFile::open(memory.path());
  if (!file) {
    SIDA_CHECK(file.error().code == ErrorCode::kInvalidModel);
    return 0;
  }
  auto weights = PackedWeights::load(*file, *shape, kModel, DType::kFloat32);
  if (!weights) {
    SIDA_CHECK(weights.error().code == ErrorCode::kInvalidModel);
    SIDA_CHECK(weights.error().message.starts_with(memory.path().string()));
    return 0;
  }
  const TokenEmbedding embedding(4, 4, std::vector<float>(16, 0.5F));
  const auto backend = std::move(*compute::make_cpu_backend({}));
  if (shape->variant == Variant::kPublished) {
    Published network(*shape, kModel, std::move(*weights), embedding, *backend);
    use(network);
  } else {
    Miniature network(*shape, std::move(*weights), embedding, *backend);
    use(network);
  }
  return 0;
}
