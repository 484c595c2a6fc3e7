// The model's embedding table: what every learned hash function reads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "predictor/network/owned_rows.h"

namespace sida::predictor {

// Immutable. Owns its memory: vocab_size x d_model elements.
class TokenEmbedding {
 public:
  // Values [vocab, d_model]; for tests and training.
  TokenEmbedding(std::int64_t vocab, std::int64_t d_model, std::span<const float> values);

  // The encoder's table, kept as bf16 where the model stores bf16, else as fp32. kInvalidModel, kIo. Blocks on disk.
  static Result<TokenEmbedding> read(const model::ModelDirectory& model);

  [[nodiscard]] std::int64_t vocab() const { return vocab_; }
  [[nodiscard]] std::int64_t d_model() const { return d_model_; }
  [[nodiscard]] bool knows(std::int32_t token) const { return token >= 0 && token < vocab_; }

  // [tokens, d_model] fp32; zeros for ids that the model does not have.
  [[nodiscard]] OwnedRows look_up(std::span<const std::int32_t> tokens) const;
  // [vocab, d_model], widened.
  [[nodiscard]] std::vector<float> values() const;

 private:
  TokenEmbedding(std::int64_t vocab, std::int64_t d_model, DType dtype, std::vector<std::byte> bytes)
      : vocab_(vocab), d_model_(d_model), dtype_(dtype), bytes_(std::move(bytes)) {}
  void widen(std::size_t first, std::span<float> to) const;

  std::int64_t vocab_ = 0;
  std::int64_t d_model_ = 0;
  DType dtype_ = DType::kFloat32;
  std::vector<std::byte> bytes_;
};

}  // namespace sida::predictor
