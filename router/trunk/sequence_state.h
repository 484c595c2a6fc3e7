// What the trunk keeps of one sequence between steps: its tokens, sampling state and attention caches.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/tensor/rows.h"
#include "router/routing/routing_mode.h"
#include "router/routing/table_rows.h"
#include "router/trunk/trunk_weights.h"

namespace sida::router {

// Keys and values of one attention layer: two growing [length, heads * d_kv] tables in the compute dtype. A plain copy
// shares the tables: of such copies none may append.
class KeyValueCache {
 public:
  // Appends rows of equal count; grows by doubling, so an append is amortised constant.
  void append(ConstRows keys, ConstRows values);
  [[nodiscard]] ConstRows keys() const;
  [[nodiscard]] ConstRows values() const;
  // The same rows in tables of its own.
  [[nodiscard]] KeyValueCache fork() const;
  [[nodiscard]] std::int64_t length() const { return length_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  at::Tensor keys_;    // [capacity, heads * d_kv]
  at::Tensor values_;  // [capacity, heads * d_kv]
  std::int64_t length_ = 0;
};

struct SequenceState {
  SequenceId id;
  std::vector<std::int32_t> source;          // Encoder tokens.
  std::vector<std::int32_t> decoder_tokens;  // Start token first; the last ones are not in the cache yet.
  std::vector<KeyValueCache> self_caches;    // Per decoder block.
  std::vector<KeyValueCache> cross_caches;   // Per decoder block; filled by the encoder pass of one that is decoded.
  RoutingMode routing = RoutingMode::kExact;
  std::optional<std::size_t> head;  // Of a sequence that is classified: TrunkWeights::heads(). It is not decoded.
  std::vector<float> logits;        // Of that head; filled by the encoder pass.
  std::optional<TableRows> table;   // Of this step's rows, in the stack that the step runs.

  // A sequence that goes on apart from this one; they share the cross-attention caches.
  [[nodiscard]] SequenceState fork() const;
  [[nodiscard]] std::int64_t cached() const { return self_caches.empty() ? 0 : self_caches.front().length(); }
};

}  // namespace sida::router
