#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/runtime/clock.h"
#include "router/core/gate_record.h"

namespace sida::router {

// What one MoE layer did with some rows: of a batch, or those of one sequence in a step.
struct LayerRouting {
  LayerId layer;
  TimePoint began;                     // When the experts were first needed.
  std::size_t k = 1;                   // Experts per row.
  std::vector<std::int32_t> gate;      // [rows], the gate's choice; -1 where it was not asked.
  std::vector<std::uint8_t> by_table;  // [rows]; 1: the hash table chose.
  std::vector<std::int32_t> served;    // [rows, k], best first; -1: none, or capacity dropped the row.
  std::vector<float> weights;          // [rows, k], what scaled their answers.
  std::vector<WorkerId> served_by;     // [rows, k]
  GateRecord gates;  // Empty unless asked for; of one sequence, perhaps because another in its step asked.
};

}  // namespace sida::router
