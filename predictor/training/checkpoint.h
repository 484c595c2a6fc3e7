// What a training that was stopped goes on from: weights, Adam's moments, the best weights so far, and where it stood.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "common/base/result.h"

namespace sida::predictor {

struct Progress {
  std::int64_t epoch = 0;
  std::int64_t batch = 0;  // Of the epoch, the next one.
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  double seconds = 0;      // Spent so far, measurements included.
  double best_loss = -1;   // On held-out sequences; negative: not measured yet.
  std::int64_t stale = 0;  // Measurements since the best.
};

class Checkpoint {
 public:
  // `purpose`: a line that tells this training from another (model, data, network, options); a checkpoint of another is
  // refused.
  Checkpoint(std::filesystem::path directory, std::string purpose)
      : directory_(std::move(directory)), purpose_(std::move(purpose)) {}

  // Two files; whoever is stopped in between finds the one before. kIo.
  [[nodiscard]] Result<void> save(const Progress& progress, const std::map<std::string, at::Tensor>& tensors);

  // Fills `tensors`. Nothing: there is no checkpoint. kMismatch: of another training. kInvalidModel, kIo.
  [[nodiscard]] Result<std::optional<Progress>> load(std::map<std::string, at::Tensor>& tensors);

  // When it is no longer needed.
  void remove();

 private:
  [[nodiscard]] std::filesystem::path state_path() const { return directory_ / "progress.json"; }

  std::filesystem::path directory_;
  std::string purpose_;
};

}  // namespace sida::predictor
