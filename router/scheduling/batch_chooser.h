// Which waiting source joins the batch next: one that shares experts with those already in it, so that the batch as a
// whole touches few experts. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/ids.h"
#include "router/scheduling/expert_set.h"

namespace sida::router {

struct WaitingSource {
  SequenceId id;
  std::int64_t rows = 0;
  std::int64_t cache_tokens = 0;
  const ExpertSet* experts = nullptr;  // Borrowed. Null: its hash table is not there yet.
  std::size_t experts_count = 0;       // experts->size()
};

class BatchChooser {
 public:
  // How many of the oldest sources are looked at for each place in the batch.
  static constexpr std::size_t kCandidatesMax = 256;

  // Index of the source to take next, of those that wait in order of arrival (not empty): of those that fit into `rows`
  // and `cache_tokens` the one the greatest share of whose experts is in the batch already; of equals the older. The
  // oldest, whether it fits or not, when the batch is empty or nobody shares an expert with it.
  [[nodiscard]] std::size_t choose(std::span<const WaitingSource> waiting, std::int64_t rows,
                                   std::int64_t cache_tokens) const;
  void take(const WaitingSource& source);

 private:
  bool empty_ = true;
  ExpertSet batch_;
};

}  // namespace sida::router
