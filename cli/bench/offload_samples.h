// What `sida bench offload` has measured, before it is a report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sida::bench {

enum class Phase {
  kEncode,  // Sources with one new token each: the encoder's pass and one step of the decoder.
  kDecode,  // The steps of the decoder behind the first one.
};

// A policy with a budget: what a cluster is started for.
struct Setting {
  std::string policy;       // One of kPolicies (offload_plan.h).
  double share = 0;         // Of all experts' bytes, 0 to 1; more than 1 never.
  std::uint64_t bytes = 0;  // --expert-memory; 0: all that fits.
  bool operator==(const Setting&) const = default;
};

// Of all workers together, over some time.
struct Counts {
  std::uint64_t hits = 0;  // Experts that rows needed: there, or waited for.
  std::uint64_t misses = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_waited = 0;  // That rows waited for.
  std::uint64_t useful = 0;        // Experts read ahead: there in time, on their way, never needed.
  std::uint64_t late = 0;
  std::uint64_t wasted = 0;
};

// One pass over some texts in one round.
struct Pass {
  std::string text;
  Phase phase = Phase::kEncode;
  std::vector<double> latencies;  // Seconds: of each source, or of each token behind the first.
  double items = 0;               // Sources or tokens.
  double seconds = 0;             // That they took, side by side where several were under way.
  Counts counts;
};

// One cluster from its start to its end.
struct Visit {
  Setting setting;
  int round = 0;
  double first_answer_seconds = 0;  // From the start of its processes, nothing of the model in the page cache.
  std::uint64_t peak_bytes = 0;     // All processes and what the page cache holds of the model.
  std::vector<Pass> passes;
};

// How many of the experts the sources of one kind need: one value per source.
struct Needs {
  std::string text;
  std::vector<double> tokens;
  std::vector<double> encoder_experts;  // Distinct (layer, expert) pairs of the encoder's layers.
};

// The model, as far as the figures hang on it. Bytes are as computed with.
struct OffloadModel {
  std::string name;
  std::string dtype;
  std::int64_t experts_per_layer = 0;
  std::int64_t encoder_moe_layers = 0;
  std::int64_t decoder_moe_layers = 0;
  std::uint64_t expert_bytes = 0;         // Of one.
  std::uint64_t encoder_trunk_bytes = 0;  // Weights besides experts that the encoder's pass reads.
  std::uint64_t decoder_trunk_bytes = 0;  // The same of one step of the decoder, head included.
  std::uint64_t memory_bytes_min = 0;     // Least --expert-memory of the cluster.

  [[nodiscard]] std::uint64_t experts_bytes() const {
    return static_cast<std::uint64_t>(experts_per_layer * (encoder_moe_layers + decoder_moe_layers)) * expert_bytes;
  }
};

// Of one round, bytes per second.
struct Limits {
  double memory = 0;
  double disk = 0;  // As many readers as there are workers, or one: the faster.
  double disk_one_reader = 0;
};

struct OffloadRun {
  OffloadModel model;
  std::string predictor;  // Directory, or empty.
  std::string read_method;
  std::int64_t workers = 0;
  std::int64_t parallel = 1;  // Requests under way at a time.
  std::int64_t new_tokens = 0;
  std::int64_t rounds = 0;
  std::vector<Limits> limits;
  std::vector<Needs> needs;
  std::vector<Visit> visits;
  std::vector<std::string> notes;  // What was left out, and why.
};

}  // namespace sida::bench
