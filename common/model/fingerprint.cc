#include "common/model/fingerprint.h"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <string_view>
#include <vector>

namespace sida::model {

namespace {

std::string hexadecimal(std::uint64_t value, int digits) {
  std::string text;
  while (digits-- > 0) text += "0123456789abcdef"[(value >> static_cast<unsigned>(4 * digits)) & 0xfU];
  return text;
}

class Hash {
 public:
  Hash() { crypto_generichash_init(&state_, nullptr, 0, std::tuple_size_v<Fingerprint>); }

  void add(std::string_view text) {
    crypto_generichash_update(&state_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }

  void add(std::string_view key, std::int64_t value) { add(std::string(key) + "=" + std::to_string(value) + "\n"); }

  Fingerprint finish() {
    Fingerprint fingerprint{};
    crypto_generichash_final(&state_, fingerprint.data(), fingerprint.size());
    return fingerprint;
  }

 private:
  crypto_generichash_state state_{};
};

void add_config(Hash& hash, const ModelConfig& config) {
  hash.add("vocab_size", config.vocab_size);
  hash.add("d_model", config.d_model);
  hash.add("d_kv", config.d_kv);
  hash.add("d_ff", config.d_ff);
  hash.add("num_heads", config.num_heads);
  hash.add("num_experts", config.num_experts);
  hash.add("num_buckets", config.num_buckets);
  hash.add("max_distance", config.max_distance);
  hash.add("expert_capacity", config.expert_capacity);
  hash.add("layer_norm_epsilon=" + hexadecimal(std::bit_cast<std::uint32_t>(config.layer_norm_epsilon), 8) + "\n");
  hash.add("tie_word_embeddings", config.tie_word_embeddings ? 1 : 0);
  hash.add("router_bias", config.router_bias ? 1 : 0);
  if (config.hash_routing) hash.add("hash_routing", 1);  // Only there, so that other models keep their fingerprint.
}

void add_description(Hash& hash, const CanonicalTensor& tensor) {
  std::string line = tensor.name + " " + std::string(name(tensor.dtype)) + " ";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (i > 0) line += ',';
    line += std::to_string(tensor.shape[i]);
  }
  hash.add(line + "\n");
}

bool counts_by_value(std::string_view name) {
  return name == kSharedName || name == kEncoderEmbeddingName || name == kDecoderEmbeddingName || name == kLmHeadName ||
         name.find(".router.classifier.") != name.npos || name.ends_with(kTokenExpertsName);
}

Result<void> add_values(Hash& hash, const WeightFiles& weights, const TensorInfo& info) {
  constexpr std::uint64_t kPiece = 4U << 20U;
  std::vector<std::byte> buffer(std::min(kPiece, info.bytes));
  for (std::uint64_t done = 0; done < info.bytes; done += buffer.size()) {
    TensorInfo piece = info;
    piece.offset += done;
    piece.bytes = std::min<std::uint64_t>(buffer.size(), info.bytes - done);
    SIDA_TRY(weights.read(piece, std::span(buffer).first(piece.bytes)));
    hash.add({reinterpret_cast<const char*>(buffer.data()), piece.bytes});
  }
  return {};
}

}  // namespace

std::string to_hex(const Fingerprint& fingerprint) {
  std::string text;
  for (std::uint8_t byte : fingerprint) text += hexadecimal(byte, 2);
  return text;
}

Result<Fingerprint> compute_fingerprint(const CheckedModel& model, const WeightFiles& weights) {
  if (sodium_init() < 0) return fail(ErrorCode::kInternal, "libsodium does not start");
  std::vector<CanonicalTensor> tensors = model.tensors;
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  Hash hash;
  hash.add("sida-model-1\n");
  add_config(hash, model.config);
  for (const CanonicalTensor& tensor : tensors) add_description(hash, tensor);
  for (const CanonicalTensor& tensor : tensors) {
    if (counts_by_value(tensor.name)) SIDA_TRY(add_values(hash, weights, *tensor.info));
  }
  return hash.finish();
}

}  // namespace sida::model
