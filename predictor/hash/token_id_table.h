// The simplest hash function: each token id has its experts, whatever stands around it (as in Hash Layers, Roller et
// al. 2021, arXiv 2106.04426). The table is counted from routes of the model.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "predictor/hash/hash_function.h"
#include "predictor/hash/predictor_directory.h"

namespace sida::predictor {

class TokenIdTable final : public HashFunction {
 public:
  // `file` (safetensors) holds, for every MoE layer of the model and for no other, "encoder.<block>.experts" or
  // "decoder.<block>.experts": [vocab_size, k] int16, -1 for none; and "….confidence": [vocab_size, k] fp16 or bf16, in
  // [0, 1]. kNotFound, kIo, kInvalidModel with file and tensor named. At most 1 GiB is read.
  static Result<TokenIdTable> open(const std::filesystem::path& file, std::int64_t k, const ServedModel& model);

  // The model's own routing tables, with confidence 1. The model has hash routing. kInvalidModel, kIo.
  static Result<TokenIdTable> predefined(const model::ModelDirectory& model);

  [[nodiscard]] const HashFunctionInfo& info() const override { return info_; }
  std::vector<Beginning> begin(std::span<const Source> sources) override;
  std::vector<Predictions> advance(std::span<const DecoderInput> inputs) override;

  // One MoE layer.
  struct Layer {
    std::vector<std::int16_t> experts;  // [vocab_size, k]
    std::vector<float> confidences;     // [vocab_size, k]
  };

 private:
  TokenIdTable(HashFunctionInfo info, std::int64_t vocab_size, std::vector<Layer> layers)
      : info_(std::move(info)), vocab_size_(vocab_size), layers_(std::move(layers)) {}

  // `tokens` in the layers [first, first + count).
  [[nodiscard]] Predictions look_up(std::span<const std::int32_t> tokens, std::size_t k, std::int32_t first,
                                    std::int32_t count) const;

  HashFunctionInfo info_;
  std::int64_t vocab_size_;
  std::vector<Layer> layers_;  // By LayerId.
};

}  // namespace sida::predictor
