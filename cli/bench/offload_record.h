// What the gates decide about the texts of `sida bench offload`, recorded before anything is measured: what an oracle
// says, and how many experts a source needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "cli/bench/offload_samples.h"
#include "cli/bench/offload_texts.h"
#include "cli/cluster_options.h"
#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "common/trace/traced_sequence.h"

namespace sida::bench {

struct RecordOptions {
  std::size_t sources_max = 0;  // Of each kind: the first ones.
  std::int64_t new_tokens = 1;  // That the model writes to each, and whose routes are recorded too.
};

// Starts a cluster of `cluster` without a predictor, asks it about every source, and writes a predictor directory of
// kind "recorded" at `directory`, which it makes. Blocks for all of it; tells its progress on stderr.
Result<std::vector<Needs>> record_routes(const model::ModelDirectory& model, cli::ClusterOptions cluster,
                                         const std::vector<TextKind>& texts, const RecordOptions& options,
                                         const std::filesystem::path& directory);

// Distinct (layer, expert) pairs that served the source. Pure.
std::size_t encoder_experts(const trace::TracedSequence& sequence);

}  // namespace sida::bench
