#include "predictor/network/token_embedding.h"

#include <cstring>
#include <utility>

namespace sida::predictor {

TokenEmbedding::TokenEmbedding(std::int64_t vocab, std::int64_t d_model, std::span<const float> values)
    : vocab_(vocab), d_model_(d_model), bytes_(values.size_bytes()) {
  SIDA_CHECK(values.size() == static_cast<std::size_t>(vocab * d_model));
  std::memcpy(bytes_.data(), values.data(), bytes_.size());
}

Result<TokenEmbedding> TokenEmbedding::read(const model::ModelDirectory& model) {
  const model::TensorInfo& info = model.embedding(model::Stack::kEncoder);
  const auto& config = model.config();
  if (info.dtype == DType::kBFloat16) {
    auto bytes = model.weights().read_bytes(info);
    if (!bytes) return tl::unexpected(std::move(bytes).error());
    return TokenEmbedding(config.vocab_size, config.d_model, DType::kBFloat16, std::move(*bytes));
  }
  auto values = model.weights().read_as_fp32(info);
  if (!values) return tl::unexpected(std::move(values).error());
  return TokenEmbedding(config.vocab_size, config.d_model, *values);
}

void TokenEmbedding::widen(std::size_t first, std::span<float> to) const {
  if (dtype_ == DType::kFloat32) {
    std::memcpy(to.data(), bytes_.data() + first * sizeof(float), to.size_bytes());
    return;
  }
  const std::byte* from = bytes_.data() + first * sizeof(BFloat16);
  for (float& value : to) {
    BFloat16 narrow;
    std::memcpy(&narrow, from, sizeof narrow);
    from += sizeof narrow;
    value = to_float(narrow);
  }
}

OwnedRows TokenEmbedding::look_up(std::span<const std::int32_t> tokens) const {
  OwnedRows found(static_cast<std::int64_t>(tokens.size()), d_model_, DType::kFloat32);
  const auto width = static_cast<std::size_t>(d_model_);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (knows(tokens[i])) widen(static_cast<std::size_t>(tokens[i]) * width, found.values().subspan(i * width, width));
  }
  return found;
}

std::vector<float> TokenEmbedding::values() const {
  std::vector<float> all(static_cast<std::size_t>(vocab_ * d_model_));
  widen(0, all);
  return all;
}

}  // namespace sida::predictor
