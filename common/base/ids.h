// Ids are types, so that a layer is never passed where an expert is meant.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace sida {

template <typename Tag, typename Value>
struct Id {
  Value value{};

  constexpr Id() = default;
  constexpr explicit Id(Value v) : value(v) {}
  auto operator<=>(const Id&) const = default;
};

using RequestId = Id<struct RequestTag, std::uint64_t>;  // One HTTP request or CLI call; unique in one router process.
using SequenceId = Id<struct SequenceTag, std::uint64_t>;  // One source and its target; unique in one router process.
using StepId = Id<struct StepTag, std::uint64_t>;          // One forward call of the trunk; counts up.
using ExpertId = Id<struct ExpertTag, std::int32_t>;       // Position within a layer, from 0.
using WorkerId = Id<struct WorkerTag, std::uint64_t>;      // Random per process start: a restarted worker is a new one.
using RouterId = Id<struct RouterTag, std::uint64_t>;      // Random per process start ("incarnation").

// Position among the MoE layers of the whole model in order of use: encoder's first, then decoder's. From 0.
using LayerId = Id<struct LayerTag, std::int32_t>;

struct ExpertKey {
  LayerId layer;
  ExpertId expert;
  auto operator<=>(const ExpertKey&) const = default;
};

}  // namespace sida

template <typename Tag, typename Value>
struct std::hash<sida::Id<Tag, Value>> {
  std::size_t operator()(const sida::Id<Tag, Value>& id) const { return std::hash<Value>{}(id.value); }
};

template <>
struct std::hash<sida::ExpertKey> {
  std::size_t operator()(const sida::ExpertKey& key) const {
    return std::hash<std::uint64_t>{}((static_cast<std::uint64_t>(key.layer.value) << 32U) |
                                      static_cast<std::uint32_t>(key.expert.value));
  }
};
