// Which expert leaves fast memory so that another can come: the one choice of residency that can be swapped. A policy
// has no state and sees only what it may take, so that no policy can break what must hold for all: what is loading or
// in use stays. Weights never change, so an eviction is a drop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"

namespace sida::worker {

// A resident expert that may leave.
struct Evictable {
  ExpertKey key;
  std::uint64_t loaded = 0;           // Counts up over all loads.
  std::uint64_t used = 0;             // When it was last used, or came in; counts up over all uses, no two alike.
  double wanted = 0;                  // How often it was wanted lately: WantedOften::level().
  std::optional<std::uint64_t> turn;  // When it is needed next, where that is known; lower: sooner.
};

struct EvictionChoice {
  std::span<const Evictable> candidates;    // Not empty.
  LayerId layer;                            // Of the expert that comes.
  std::span<const std::uint32_t> by_layer;  // Slots that each layer's experts have now, loading ones included.
  std::uint32_t slots = 0;                  // All.
};

class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  // Position in the candidates. The same choice always gives the same answer.
  [[nodiscard]] virtual std::size_t victim(const EvictionChoice& choice) const = 0;
};

enum class Eviction {
  // The one needed last, as far as is known; before these, of those of which nothing is known, the one wanted least
  // often
  // lately. With all of the future known this is Belady's rule (1966), which reads the least.
  kTable,
  kLru,       // The least recently used.
  kLruLayer,  // The same among the experts of one layer: each layer has its part of the slots.
  kFifo,      // The one that came first, as SiDA-MoE does (Du et al. 2024).
};

std::unique_ptr<EvictionPolicy> make_eviction_policy(Eviction kind);

// "table", "lru", "lru-layer", "fifo".
std::string_view name(Eviction kind);
std::vector<std::string> eviction_names();
// SIDA_CHECKs that it is one of the names.
Eviction eviction_of(std::string_view name);

}  // namespace sida::worker
