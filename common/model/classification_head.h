// Heads for sequence classification beside a model: DIR/heads/NAME/{config.json,model.safetensors}.
//
// A head reads the mean of the encoder's outputs over a sequence's tokens, end token included: logits =
// out_proj(tanh(dense(mean))). Names of tensors as in SiDA's classifier (`classifier.`) or in Hugging Face's
// T5ForSequenceClassification (`classification_head.`).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/model/model_directory.h"

namespace sida::model {

struct ClassificationHead {
  std::string name;                 // Of its folder.
  std::vector<std::string> labels;  // By logit: `id2label` of config.json, else LABEL_0 and so on. At least one.
  std::vector<float> dense_weight;  // [d_model, d_model], row-major, as what follows.
  std::vector<float> dense_bias;    // [d_model]
  std::vector<float> out_weight;    // [labels, d_model]
  std::vector<float> out_bias;      // [labels]
};

// All heads of the model, by name; none where there is no folder `heads`. Blocks on disk. Errors: kInvalidModel (file
// and tensor or key named: damaged, of another width, or made for another model by `sida_model_fingerprint`), kIo.
[[nodiscard]] Result<std::vector<ClassificationHead>> read_classification_heads(const ModelDirectory& model);

struct HeadConfig {
  std::vector<std::string> labels;  // Empty: not told.
  std::string fingerprint;          // Of the model it was trained on, 64 hexadecimal digits; empty: not told.
};

// A head's config.json: `id2label` maps "0" to "count - 1" to texts. kInvalidModel, the key named.
[[nodiscard]] Result<HeadConfig> parse_head_config(std::string_view json);

}  // namespace sida::model
