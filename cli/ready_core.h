// Decides when `sida serve` calls its cluster ready, and what it says on the way there. No I/O, no clock.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/runtime/clock.h"

namespace sida::cli {

// What was seen of the cluster at one look.
struct ClusterSight {
  bool served = false;        // A request sent now would be served.
  bool all_ready = false;     // Every process says so.
  double loaded_share = 0;    // Of the experts that fit into the workers' memory, those that are there.
  std::string progress = {};  // For people; empty: nothing to tell.
};

// From the answers to GET /health and GET /status; either may be no object when nobody answered. Missing or ill-typed
// fields count as not there.
ClusterSight sight_of(bool healthy, const nlohmann::json& health, const nlohmann::json& status);

// Ready: served, every process up, and the experts that fit resident. One worker is enough to serve and the rest is
// read when it is needed, so those get only so long.
class ReadyCore {
 public:
  // For the other processes and for loading, since the cluster serves.
  static constexpr std::chrono::seconds kForStragglers{10};
  // Loading that makes no headway for so long is at its end: workers keep their own share only, which may not fill
  // them.
  static constexpr std::chrono::milliseconds kLoadingStalls{1000};

  bool is_ready(const ClusterSight& sight, TimePoint now);

 private:
  std::optional<TimePoint> served_since_;
  double loaded_share_ = -1;
  TimePoint loaded_more_;
};

}  // namespace sida::cli
