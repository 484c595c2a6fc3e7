#include "predictor/network/sparsemax.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace sida::predictor {

void sparsemax(std::span<float> row) {
  if (row.empty()) return;
  if (std::any_of(row.begin(), row.end(), [](float score) { return !std::isfinite(score); })) {
    std::fill(row.begin(), row.end(), 1.0F / static_cast<float>(row.size()));
    return;
  }
  std::vector<float> sorted(row.begin(), row.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  // The support is the longest prefix with 1 + k z_k > z_1 + ... + z_k.
  float sum = 0;
  float threshold = sorted[0] - 1;
  for (std::size_t k = 1; k <= sorted.size(); ++k) {
    sum += sorted[k - 1];
    if (1 + static_cast<float>(k) * sorted[k - 1] <= sum) break;
    threshold = (sum - 1) / static_cast<float>(k);
  }
  for (float& score : row) score = std::max(0.0F, score - threshold);
}

}  // namespace sida::predictor
