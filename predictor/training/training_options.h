// What `sida train` may be told. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "predictor/network/network_shape.h"

namespace sida::predictor {

struct TrainingOptions {
  std::string model;                // Directory.
  std::vector<std::string> traces;  // Files that `sida trace` wrote.
  std::string out;                  // The predictor's directory, to be made or replaced.
  std::string checkpoint;           // Directory; empty: OUT/checkpoint. Removed at the end.

  std::string begin_with;  // Predictor directory of a like model; empty: none.

  std::string network = "miniature";
  std::int64_t width = 0;   // Of the miniature; 0: the model's d_model up to kOwnWidthMax, else kNarrowWidth.
  std::int64_t blocks = 0;  // Of each of its stacks; 0: as the model where the width is the model's, else kFewBlocks.
  std::int64_t inner = 0;   // In place of an expert layer; 0: twice the width.

  std::int64_t tokens = 8'000'000;  // Source and target tokens to learn from, repetitions included.
  double minutes = 0;               // 0: no limit. Then the rate falls as if the tokens were read by then.
  std::int64_t batch_tokens = 4096;
  double rate = 1e-3;                     // Adam's, at its highest.
  double copied_rate = 0.2;               // Times that for weights that begin as the model's own.
  std::int64_t seed = 1;                  // Of first weights and of the order of the data.
  std::int64_t threads = 2;               // Of LibTorch.
  double held_out = 0.05;                 // Share of the sequences that only measure.
  std::int64_t held_out_tokens = 60'000;  // Of them, at most so many tokens are used at each measurement.
  std::int64_t measure_every = 200;       // Steps between measurements and checkpoints.
  std::int64_t patience = 10;             // Measurements without progress that end it; 0: never.
  std::int64_t k = 4;                     // Experts per token that the predictor names.
};

// SiDA-MoE's training (Du et al., MLSys 2024): Adam at 5e-5; L1 between softmaxes over the teacher's 30 largest logits,
// plus 0.005 cross-entropy.
inline constexpr double kPublishedRate = 5e-5;
inline constexpr double kPublishedCrossEntropy = 0.005;

// Beyond this width the model's own attention costs more than a prediction may.
inline constexpr std::int64_t kOwnWidthMax = 256;
inline constexpr std::int64_t kNarrowWidth = 128;
inline constexpr std::int64_t kFewBlocks = 4;

}  // namespace sida::predictor
