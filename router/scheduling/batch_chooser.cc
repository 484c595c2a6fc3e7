#include "router/scheduling/batch_chooser.h"

#include <algorithm>

namespace sida::router {

float BatchChooser::saving(const WaitingSource& source) const {
  if (source.experts == nullptr) return 0;
  float expected = 0;
  std::size_t count = 0;
  source.experts->for_each([&](std::size_t expert) {
    expected += expert < all_absence_.size() ? all_absence_[expert] : 1.0F;
    ++count;
  });
  return expected - static_cast<float>(count - source.experts->shared_with(batch_));
}

std::size_t BatchChooser::choose(std::span<const WaitingSource> waiting, std::int64_t rows,
                                 std::int64_t cache_tokens) const {
  if (empty_) return 0;
  std::size_t best = 0;
  float most = saving(waiting.front());
  for (std::size_t index = 1; index < std::min(waiting.size(), kCandidatesMax); ++index) {
    const WaitingSource& source = waiting[index];
    if (source.experts == nullptr || source.rows > rows || source.cache_tokens > cache_tokens) continue;
    const float saved = saving(source);
    if (saved <= most) continue;
    best = index;
    most = saved;
  }
  return best;
}

void BatchChooser::take(const WaitingSource& source) {
  if (source.experts != nullptr) batch_.add(*source.experts);
  if (empty_) all_absence_.assign(absence_.size(), 1.0F);
  empty_ = false;
  for (std::size_t expert = 0; expert < absence_.size(); ++expert) all_absence_[expert] *= absence_[expert];
}

}  // namespace sida::router
