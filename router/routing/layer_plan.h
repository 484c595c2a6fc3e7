// Decides for the rows of one MoE layer who chooses their experts: the hash table or the gate. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "router/routing/routing_options.h"
#include "router/routing/table_rows.h"

namespace sida::router {

// The rows that one sequence has in the batch.
struct PlannedSequence {
  SequenceId id;
  std::size_t rows = 0;
  std::size_t first_position = 0;  // Of the first row in its stack.
  RoutingMode mode = RoutingMode::kExact;
  const TableRows* table = nullptr;  // Of exactly these rows; null: no entries.
};

struct LayerPlan {
  std::size_t k = 1;                   // Experts per row; 1 when the table decides nothing.
  std::vector<std::int32_t> experts;   // [rows, k]; -1 where the gate is still to choose, and from some rank on.
  std::vector<float> weights;          // [rows, k]; of rows that the table decides, by their confidences.
  std::vector<std::uint8_t> by_table;  // [rows]; 1: the table chose.
  std::vector<std::int32_t> ask;       // Rows that the gate chooses for, ascending.
  std::vector<std::int32_t> sample;  // Rows that the table chose for and the gate is asked about meanwhile, ascending.
};

// Which rows are sampled depends on sequence, layer and position only, so it is the same for any batch.
LayerPlan plan_layer(LayerId layer, std::span<const PlannedSequence> sequences, const RoutingOptions& options);

}  // namespace sida::router
