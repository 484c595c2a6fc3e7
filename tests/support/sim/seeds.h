// Runs a simulation for many seeds and names the one that failed.
//   SIDA_SIM_SEEDS=100000     how many (default: the test's own number)
//   SIDA_SIM_FIRST_SEED=1234  from which; with SIDA_SIM_SEEDS=1 it repeats one run
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>

namespace sida::sim {

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Stops at the first seed whose run fails an expectation.
inline void for_each_seed(std::uint64_t default_count, const std::function<void(std::uint64_t)>& run) {
  const std::uint64_t first = number_from_environment("SIDA_SIM_FIRST_SEED", 1);
  const std::uint64_t count = number_from_environment("SIDA_SIM_SEEDS", default_count);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " (repeat with SIDA_SIM_FIRST_SEED=" << seed
                                    << " SIDA_SIM_SEEDS=1)");
    run(seed);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace sida::sim
