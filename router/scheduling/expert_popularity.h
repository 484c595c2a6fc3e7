// How often experts occur in sources: what the next one will likely use, and so what a source is expected to add to a
// batch of others.
#pragma once

#include <cstdint>
#include <vector>

#include "router/scheduling/expert_set.h"

namespace sida::router {

class ExpertPopularity {
 public:
  // Counts a source. Old ones count less and less: at this many all counts are halved.
  static constexpr std::uint32_t kSourcesMax = 1024;
  void add(const ExpertSet& source) {
    if (sources_ >= kSourcesMax) {
      sources_ /= 2;
      for (std::uint32_t& count : counts_) count /= 2;
    }
    ++sources_;
    source.for_each([this](std::size_t expert) {
      if (expert >= counts_.size()) counts_.resize(expert + 1);
      ++counts_[expert];
    });
  }

  // Probability that a source does not use the expert, by experts; those beyond the end have never been used.
  [[nodiscard]] std::vector<float> absence() const {
    std::vector<float> absent;
    absent.reserve(counts_.size());
    // One more source than counted, which used none: after the first one, nothing is certain yet.
    for (const std::uint32_t count : counts_) {
      absent.push_back(1.0F - static_cast<float>(count) / static_cast<float>(sources_ + 1));
    }
    return absent;
  }

 private:
  std::uint32_t sources_ = 0;
  std::vector<std::uint32_t> counts_;  // By expert.
};

}  // namespace sida::router
