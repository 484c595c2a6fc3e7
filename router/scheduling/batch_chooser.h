// Which waiting source joins the batch next: the one that saves most by sharing experts with those already in it. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "router/scheduling/expert_popularity.h"
#include "router/scheduling/expert_set.h"

namespace sida::router {

struct WaitingSource {
  SequenceId id;
  std::int64_t rows = 0;
  std::int64_t cache_tokens = 0;
  const ExpertSet* experts = nullptr;  // Borrowed. Null: its hash table is not there yet.
};

// What a source saves: the experts that it would be expected to add to a batch of strangers (as many sources as this
// one has, drawn at random), less those that it adds to this batch. The expectation is what keeps the choice fair: the
// fewest new experts alone would always favour short sources, and leave the long ones to one another.
class BatchChooser {
 public:
  // How many of the oldest sources are looked at for each place in the batch. 128 that use 150 experts each: 20 us.
  static constexpr std::size_t kCandidatesMax = 128;

  explicit BatchChooser(const ExpertPopularity& popularity) : absence_(popularity.absence()) {}

  // Index of the source to take next, of those that wait in order of arrival (not empty): of the oldest, and of those
  // with a table that fit into `rows` and `cache_tokens`, the one that saves most; of equals the older. Without a table
  // a source is a stranger, and saves nothing. The oldest, whether it fits or not, when the batch is empty.
  [[nodiscard]] std::size_t choose(std::span<const WaitingSource> waiting, std::int64_t rows,
                                   std::int64_t cache_tokens) const;
  void take(const WaitingSource& source);

 private:
  [[nodiscard]] float saving(const WaitingSource& source) const;

  bool empty_ = true;
  ExpertSet batch_;
  std::vector<float> absence_;      // Probability that a source does not use the expert.
  std::vector<float> all_absence_;  // That as many strangers as the batch has sources all do not.
};

}  // namespace sida::router
