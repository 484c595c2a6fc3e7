#include "router/routing/layer_plan.h"

#include <algorithm>

#include "common/base/result.h"
#include "router/routing/expert_weights.h"

namespace sida::router {
namespace {

// SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): every input bit moves every output bit.
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}

bool is_sampled(SequenceId sequence, LayerId layer, std::size_t position, double share) {
  const auto key = mixed(mixed(sequence.value) + static_cast<std::uint64_t>(layer.value)) + position;
  constexpr double kOf = 1ULL << 32U;
  return static_cast<double>(mixed(key) >> 32U) < share * kOf;
}

bool table_decides(const PlannedSequence& sequence, LayerId layer, std::size_t row, float confident) {
  if (sequence.mode == RoutingMode::kExact || sequence.table == nullptr) return false;
  if (sequence.table->experts_of(layer, row).front() < 0) return false;
  return sequence.mode == RoutingMode::kPredicted || sequence.table->confidences_of(layer, row).front() >= confident;
}

}  // namespace

LayerPlan plan_layer(LayerId layer, std::span<const PlannedSequence> sequences, const RoutingOptions& options) {
  LayerPlan plan;
  std::size_t rows = 0;
  for (const PlannedSequence& sequence : sequences) {
    rows += sequence.rows;
    if (sequence.table != nullptr && sequence.mode != RoutingMode::kExact) {
      SIDA_CHECK(sequence.table->rows == sequence.rows);
      plan.k = std::max<std::size_t>(plan.k, sequence.table->k);
    }
  }
  plan.experts.assign(rows * plan.k, -1);
  plan.weights.assign(rows * plan.k, 0);
  plan.by_table.assign(rows, 0);
  std::size_t row = 0;
  for (const PlannedSequence& sequence : sequences) {
    for (std::size_t index = 0; index < sequence.rows; ++index, ++row) {
      if (!table_decides(sequence, layer, index, options.gated_confidence)) {
        plan.ask.push_back(static_cast<std::int32_t>(row));
        continue;
      }
      plan.by_table[row] = 1;
      const auto experts = sequence.table->experts_of(layer, index);
      std::ranges::copy(experts, plan.experts.begin() + static_cast<std::ptrdiff_t>(row * plan.k));
      weigh_by_confidence(options.weights, experts, sequence.table->confidences_of(layer, index),
                          std::span(plan.weights).subspan(row * plan.k, experts.size()));
      if (options.weights == TableWeights::kGate ||
          is_sampled(sequence.id, layer, sequence.first_position + index, options.agreement_share)) {
        plan.sample.push_back(static_cast<std::int32_t>(row));
      }
    }
  }
  return plan;
}

}  // namespace sida::router
