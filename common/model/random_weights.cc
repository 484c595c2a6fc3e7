#include "common/model/random_weights.h"

#include <cmath>
#include <cstring>

#include "common/base/result.h"

namespace sida::model {

namespace {

// The finaliser of SplitMix64.
std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

// FNV-1a.
std::uint64_t hash(std::string_view name) {
  std::uint64_t value = 0xcbf29ce484222325U;
  for (char c : name) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return value;
}

class Stream {
 public:
  Stream(std::uint64_t seed, std::string_view name, WeightScale scale)
      : key_(mixed(seed + 0x9e3779b97f4a7c15U) ^ hash(name)),
        mean_(scale.mean),
        // A sum of four uniform 16-bit integers has variance 4 (2^32 - 1) / 12.
        factor_(scale.standard_deviation / 37837.227F) {}

  [[nodiscard]] float value(std::uint64_t index) const {
    const std::uint64_t bits = mixed(key_ + (index + 1) * 0x9e3779b97f4a7c15U);
    const auto sum = static_cast<std::int32_t>((bits & 0xffffU) + ((bits >> 16U) & 0xffffU) +
                                               ((bits >> 32U) & 0xffffU) + (bits >> 48U));
    return static_cast<float>(sum - 2 * 65535) * factor_ + mean_;
  }

 private:
  std::uint64_t key_;
  float mean_;
  float factor_;
};

template <typename Stored, typename Convert>
void fill(const Stream& stream, std::uint64_t first, std::span<std::byte> destination, Convert convert) {
  const std::size_t count = destination.size() / sizeof(Stored);
  for (std::size_t i = 0; i < count; ++i) {
    const Stored stored = convert(stream.value(first + i));
    std::memcpy(destination.data() + i * sizeof(Stored), &stored, sizeof(Stored));
  }
}

}  // namespace

WeightScale weight_scale(std::string_view name, const ModelConfig& config) {
  const auto inverse_root = [](std::int64_t n) { return 1.0F / std::sqrt(static_cast<float>(n)); };
  if (name == "decoder.final_layer_norm.weight") return {.mean = 8.0F};
  if (name.ends_with("layer_norm.weight")) return {.mean = 1.0F};
  if (name == "shared.weight" || name.ends_with("embed_tokens.weight") || name == "lm_head.weight") {
    return {.standard_deviation = 0.3F};
  }
  if (name.ends_with(".router.classifier.weight")) return {.standard_deviation = 3.0F * inverse_root(config.d_model)};
  if (name.ends_with(".q.weight")) return {.standard_deviation = inverse_root(config.d_model * config.d_kv)};
  if (name.ends_with(".o.weight")) return {.standard_deviation = inverse_root(config.num_heads * config.d_kv)};
  if (name.ends_with(".mlp.wo.weight")) return {.standard_deviation = inverse_root(config.d_ff)};
  return {.standard_deviation = inverse_root(config.d_model)};
}

void random_values(std::uint64_t seed, std::string_view name, WeightScale scale, std::uint64_t first, DType dtype,
                   std::span<std::byte> destination) {
  const Stream stream(seed, name, scale);
  switch (dtype) {
    case DType::kFloat32:
      return fill<float>(stream, first, destination, [](float value) { return value; });
    case DType::kBFloat16:
      return fill<BFloat16>(stream, first, destination, [](float value) { return to_bfloat16(value); });
    case DType::kFloat16:
      return fill<std::uint16_t>(stream, first, destination, [](float value) { return to_half(value); });
    default:
      SIDA_CHECK(!"a floating-point type");
  }
}

}  // namespace sida::model
