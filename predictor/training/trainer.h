// The training loop: batches in, better weights out, measurements and checkpoints on the way.
#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "common/base/result.h"
#include "predictor/network/network_shape.h"
#include "predictor/training/adam.h"
#include "predictor/training/checkpoint.h"
#include "predictor/training/corpus.h"
#include "predictor/training/loss.h"
#include "predictor/training/parameters.h"
#include "predictor/training/training_options.h"

namespace sida::predictor {

// What is told after every measurement.
struct Measurement {
  Progress progress;
  double training_loss = 0;  // Mean since the last measurement.
  double held_out_loss = 0;
  double encoder_top3 = 0;   // Percent, mean over layers and held-out tokens.
  double decoder_top3 = -1;  // Negative: no decoder.
  double tokens_per_second = 0;
  double seconds_left = 0;  // Estimate.
};

// The share of Adam's highest rate when `done` of the training is behind: warms up, then falls as a cosine.
double rate_share(double done);

class Trainer {
 public:
  // References outlive it. `purpose`: Checkpoint's.
  Trainer(const TrainingOptions& options, const NetworkShape& shape, const ModelShape& model, at::Tensor embedding,
          Corpus& corpus, Parameters& parameters, const std::string& purpose);

  // Trains to the end, from the checkpoint where there is one. Afterwards the parameters are the best measured.
  // `stop` is asked after every step; when it says so, a checkpoint is saved and the result is kCancelled.
  Result<Progress> run(const std::function<void(const Measurement&)>& tell, const std::function<bool()>& stop);

  void remove_checkpoint() { checkpoint_.remove(); }

 private:
  Result<void> resume();
  Result<void> save();
  Result<void> step(const std::vector<SequencePlace>& places);
  Result<Measurement> measure();
  [[nodiscard]] at::Tensor loss_of(const NetworkOutput& output, const Batch& batch) const;
  [[nodiscard]] double done() const;
  [[nodiscard]] double seconds() const;
  [[nodiscard]] bool finished() const;
  // Everything that a checkpoint holds, the tensors themselves.
  std::map<std::string, at::Tensor> tensors();

  const TrainingOptions& options_;
  const NetworkShape& shape_;
  ModelShape model_;
  at::Tensor embedding_;
  Corpus& corpus_;
  Parameters& parameters_;
  Adam adam_;
  Checkpoint checkpoint_;
  SequenceBatches measured_;
  std::map<std::string, at::Tensor> best_;
  Progress progress_;
  double seconds_before_ = 0;
  std::chrono::steady_clock::time_point began_{};
  double loss_sum_ = 0;
  std::int64_t loss_steps_ = 0;
};

}  // namespace sida::predictor
