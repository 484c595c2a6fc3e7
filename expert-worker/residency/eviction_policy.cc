#include "expert-worker/residency/eviction_policy.h"

#include <algorithm>
#include <array>
#include <limits>

#include "common/base/result.h"

namespace sida::worker {
namespace {

struct Named {
  Eviction kind;
  std::string_view name;
};
constexpr std::array kNames{Named{Eviction::kTable, "table"}, Named{Eviction::kLru, "lru"},
                            Named{Eviction::kLruLayer, "lru-layer"}, Named{Eviction::kFifo, "fifo"}};

template <typename Rank>
std::size_t lowest(std::span<const Evictable> candidates, Rank rank) {
  return static_cast<std::size_t>(std::ranges::min_element(candidates, {}, rank) - candidates.begin());
}

class Table : public EvictionPolicy {
 public:
  [[nodiscard]] std::size_t victim(const EvictionChoice& choice) const override {
    return lowest(choice.candidates, [](const Evictable& held) {
      // Unknown is later than all that is known.
      const std::uint64_t turn = held.turn.value_or(std::numeric_limits<std::uint64_t>::max());
      return std::tuple(std::numeric_limits<std::uint64_t>::max() - turn, held.wanted, held.used);
    });
  }
};

class Lru : public EvictionPolicy {
 public:
  [[nodiscard]] std::size_t victim(const EvictionChoice& choice) const override {
    return lowest(choice.candidates, [](const Evictable& held) { return held.used; });
  }
};

class Fifo : public EvictionPolicy {
 public:
  [[nodiscard]] std::size_t victim(const EvictionChoice& choice) const override {
    return lowest(choice.candidates, [](const Evictable& held) { return held.loaded; });
  }
};

// A layer that has its part gives one of its own. One that has less takes from a layer that has more, so that parts are
// right in the end, in whatever order the slots were filled.
class LruLayer : public EvictionPolicy {
 public:
  [[nodiscard]] std::size_t victim(const EvictionChoice& choice) const override {
    const auto layers = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(choice.by_layer.size()));
    const std::uint32_t part = std::max<std::uint32_t>(1, choice.slots / layers);
    const auto held = [&](LayerId layer) {
      const auto index = static_cast<std::size_t>(layer.value);
      return index < choice.by_layer.size() ? choice.by_layer[index] : 0;
    };
    const bool full = held(choice.layer) >= part;
    return lowest(choice.candidates, [&](const Evictable& candidate) {
      const bool gives = full ? candidate.key.layer == choice.layer : held(candidate.key.layer) > part;
      return std::pair(!gives, candidate.used);
    });
  }
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_eviction_policy(Eviction kind) {
  switch (kind) {
    case Eviction::kTable:
      return std::make_unique<Table>();
    case Eviction::kLru:
      return std::make_unique<Lru>();
    case Eviction::kLruLayer:
      return std::make_unique<LruLayer>();
    case Eviction::kFifo:
      return std::make_unique<Fifo>();
  }
  SIDA_CHECK(false);
  return nullptr;
}

std::string_view name(Eviction kind) {
  return std::ranges::find(kNames, kind, &Named::kind)->name;
}

std::vector<std::string> eviction_names() {
  std::vector<std::string> names;
  for (const Named& named : kNames) names.emplace_back(named.name);
  return names;
}

Eviction eviction_of(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name, &Named::name);
  SIDA_CHECK(found != kNames.end());
  return found->kind;
}

}  // namespace sida::worker
