// Who should hold and compute an expert: a pure function of the live workers, the same in routers and workers.
// Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights as -w / ln(u), Schindelhauer and Schomaker 2005).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/ids.h"

namespace sida::placement {

struct Candidate {
  WorkerId worker;
  std::string name;    // What is hashed: a restarted worker keeps its share.
  double weight = 1;   // > 0; experts that it can hold, scaled by its speed.
  bool covers = true;  // False: its store lacks this layer; never chosen.
};

// All covering workers, best first: the first is the owner, the next take over in order. Adding or removing a worker
// moves only that worker's share. Ties (none in practice) go to the smaller name. Deterministic across machines and
// compilers.
std::vector<WorkerId> placement(ExpertKey key, std::span<const Candidate> workers);

}  // namespace sida::placement
