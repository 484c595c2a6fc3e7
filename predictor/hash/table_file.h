// The tensors of a token-id table, with every value checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "predictor/file/predictor_file.h"

namespace sida::predictor {

// Every tensor is [vocab_size, k].
struct TableShape {
  std::int64_t vocab_size = 0;
  std::int64_t k = 0;
  std::int64_t num_experts = 0;
};

// int16, each -1 or an expert of the model. Errors: those of PredictorFile.
Result<std::vector<std::int16_t>> read_experts(PredictorFile& file, const std::string& name, const TableShape& shape);

// fp16 or bf16, each in [0, 1].
Result<std::vector<float>> read_confidences(PredictorFile& file, const std::string& name, const TableShape& shape);

}  // namespace sida::predictor
