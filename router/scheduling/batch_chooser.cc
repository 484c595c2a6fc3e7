#include "router/scheduling/batch_chooser.h"

#include <algorithm>

namespace sida::router {

std::size_t BatchChooser::choose(std::span<const WaitingSource> waiting, std::int64_t rows,
                                 std::int64_t cache_tokens) const {
  if (empty_) return 0;
  std::size_t best = 0;
  std::size_t best_shared = 0;
  std::size_t best_count = 1;
  for (std::size_t index = 0; index < std::min(waiting.size(), kCandidatesMax); ++index) {
    const WaitingSource& source = waiting[index];
    if (source.experts == nullptr || source.rows > rows || source.cache_tokens > cache_tokens) continue;
    const std::size_t shared = source.experts->shared_with(batch_);
    if (shared * best_count <= best_shared * source.experts_count) continue;  // Fractions, multiplied out.
    best = index;
    best_shared = shared;
    best_count = source.experts_count;
  }
  return best;
}

void BatchChooser::take(const WaitingSource& source) {
  empty_ = false;
  if (source.experts != nullptr) batch_.add(*source.experts);
}

}  // namespace sida::router
