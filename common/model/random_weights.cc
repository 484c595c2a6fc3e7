#include "common/model/random_weights.h"

#include <cmath>
#include <cstring>

#include "common/base/result.h"
#include "common/model/geometry.h"

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
      : key_(mixed(seed + 0x9e3779b97f4a7c15U) ^ hash(name)), scale_(scale) {}

  [[nodiscard]] float normal(std::uint64_t index) const {
    // A sum of four uniform 16-bit integers has variance 4 (2^32 - 1) / 12.
    constexpr float kDeviation = 37837.227F;
    const std::uint64_t bits = at(index);
    const auto sum = static_cast<std::int32_t>((bits & 0xffffU) + ((bits >> 16U) & 0xffffU) +
                                               ((bits >> 32U) & 0xffffU) + (bits >> 48U));
    return static_cast<float>(sum - 2 * 65535) * (scale_.standard_deviation / kDeviation) + scale_.mean;
  }

  [[nodiscard]] float sign(std::uint64_t index) const {
    return scale_.mean + ((at(index) & 1U) != 0 ? scale_.standard_deviation : -scale_.standard_deviation);
  }

  [[nodiscard]] std::uint64_t at(std::uint64_t index) const { return mixed(key_ + (index + 1) * 0x9e3779b97f4a7c15U); }

 private:
  std::uint64_t key_;
  WeightScale scale_;
};

template <typename Stored, typename Value, typename Convert>
void fill(std::span<std::byte> destination, std::uint64_t first, Value value, Convert convert) {
  const std::size_t count = destination.size() / sizeof(Stored);
  for (std::size_t i = 0; i < count; ++i) {
    const Stored stored = convert(value(first + i));
    std::memcpy(destination.data() + i * sizeof(Stored), &stored, sizeof(Stored));
  }
}

template <typename Value>
void fill_as(DType dtype, std::span<std::byte> destination, std::uint64_t first, Value value) {
  switch (dtype) {
    case DType::kFloat32:
      return fill<float>(destination, first, value, [](float v) { return v; });
    case DType::kBFloat16:
      return fill<BFloat16>(destination, first, value, [](float v) { return to_bfloat16(v); });
    case DType::kFloat16:
      return fill<std::uint16_t>(destination, first, value, [](float v) { return to_half(v); });
    default:
      check_failed("a floating-point type", __FILE__, __LINE__);
  }
}

}  // namespace

WeightScale weight_scale(std::string_view name, const ModelConfig& config) {
  const auto inverse_root = [](std::int64_t n) { return 1.0F / std::sqrt(static_cast<float>(n)); };
  if (name == "decoder.final_layer_norm.weight") return {.standard_deviation = 2.5F, .two_valued = true};
  if (name.ends_with("layer_norm.weight")) return {.mean = 1.0F};
  if (name == kSharedName || name.ends_with("embed_tokens.weight") || name == kLmHeadName) {
    return {.standard_deviation = 1.0F};
  }
  if (name.ends_with(".router.classifier.weight")) return {.standard_deviation = 3.0F * inverse_root(config.d_model)};
  if (name.ends_with(".q.weight")) return {.standard_deviation = 4.0F * inverse_root(config.d_model * config.d_kv)};
  if (name.ends_with(".o.weight")) {
    return {.standard_deviation = 0.5F * inverse_root(config.num_heads * config.d_kv)};
  }
  if (name.ends_with(".mlp.wo.weight")) return {.standard_deviation = inverse_root(config.d_ff)};
  return {.standard_deviation = inverse_root(config.d_model)};
}

void random_values(std::uint64_t seed, std::string_view name, WeightScale scale, std::uint64_t first, DType dtype,
                   std::span<std::byte> destination) {
  const Stream stream(seed, name, scale);
  if (scale.two_valued) {
    fill_as(dtype, destination, first, [&](std::uint64_t index) { return stream.sign(index); });
  } else {
    fill_as(dtype, destination, first, [&](std::uint64_t index) { return stream.normal(index); });
  }
}

void random_choices(std::uint64_t seed, std::string_view name, std::int64_t below, std::uint64_t first,
                    std::span<std::byte> destination) {
  const Stream stream(seed, name, {});
  for (std::size_t i = 0; i < destination.size() / sizeof(std::int16_t); ++i) {
    const auto choice = static_cast<std::int16_t>(stream.at(first + i) % static_cast<std::uint64_t>(below));
    std::memcpy(destination.data() + i * sizeof choice, &choice, sizeof choice);
  }
}

}  // namespace sida::model
