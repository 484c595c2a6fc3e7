// A learned hash function: a network over the model's token embeddings (predictor/network), made by `sida train`.
#pragma once

#include <filesystem>
#include <memory>

#include "common/compute/backend.h"
#include "predictor/hash/hash_function.h"
#include "predictor/hash/predictor_directory.h"
#include "predictor/network/network.h"
#include "predictor/network/network_shape.h"
#include "predictor/network/token_embedding.h"

namespace sida::predictor {

ModelShape model_shape(const ServedModel& model);

class LearnedHash final : public HashFunction {
 public:
  // `file` (safetensors) holds the tensors of `shape`, fp32 or bf16. `compute`: dtype of the miniature's matrices.
  // kNotFound, kIo, kInvalidModel with file and tensor named; kInvalidArgument when the model's directory is not given.
  static Result<std::unique_ptr<LearnedHash>> open(const std::filesystem::path& file, const NetworkShape& shape,
                                                   std::int64_t k, const ServedModel& model,
                                                   DType compute = DType::kBFloat16);

  [[nodiscard]] const HashFunctionInfo& info() const override { return info_; }
  std::vector<Beginning> begin(std::span<const Source> sources) override;
  std::vector<Predictions> advance(std::span<const DecoderInput> inputs) override;

 private:
  LearnedHash(HashFunctionInfo info, std::unique_ptr<TokenEmbedding> embedding,
              std::unique_ptr<compute::Backend> backend, std::unique_ptr<Network> network)
      : info_(std::move(info)),
        embedding_(std::move(embedding)),
        backend_(std::move(backend)),
        network_(std::move(network)) {}

  // Advances inputs whose states all differ; writes their results by index.
  void advance_once(std::span<const DecoderInput> inputs, std::span<const std::size_t> indices,
                    std::vector<Predictions>& results);

  HashFunctionInfo info_;
  std::unique_ptr<TokenEmbedding> embedding_;
  std::unique_ptr<compute::Backend> backend_;
  std::unique_ptr<Network> network_;
};

}  // namespace sida::predictor
