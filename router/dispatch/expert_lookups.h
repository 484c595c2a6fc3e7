#pragma once

#include <cstdint>
#include <map>

#include "common/base/ids.h"

namespace sida::router {

// Experts that dispatches asked workers for, since start.
struct ExpertLookups {
  std::uint64_t hits = 0;    // Resident.
  std::uint64_t misses = 0;  // Read for it.
};

using LookupsByLayer = std::map<LayerId, ExpertLookups>;  // By MoE layer; at most the model's.

}  // namespace sida::router
