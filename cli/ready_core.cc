#include "cli/ready_core.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace sida::cli {
namespace {

const nlohmann::json& member(const nlohmann::json& object, const char* name) {
  static const nlohmann::json kNothing;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? *found : kNothing;
}

double number(const nlohmann::json& object, const char* name) {
  const auto& value = member(object, name);
  return value.is_number() ? value.get<double>() : 0;
}

bool all_processes_ready(const nlohmann::json& status) {
  const auto& processes = member(status, "processes");
  return processes.is_array() && !processes.empty() &&
         std::all_of(processes.begin(), processes.end(), [](const nlohmann::json& process) {
           const auto& state = member(process, "state");
           return state.is_string() && state.get_ref<const std::string&>() == "ready";
         });
}

std::string size_text(double bytes) {
  char text[32];
  const bool large = bytes >= 1024.0 * 1024 * 1024;
  std::snprintf(text, sizeof text, large ? "%.1f GiB" : "%.0f MiB", bytes / (large ? 1 << 30U : 1 << 20U));
  return text;
}

std::string loading_text(double share, double bytes) {
  const int percent = static_cast<int>(std::floor(100 * std::clamp(share, 0.0, 1.0)));
  return std::to_string(percent) + " % of " + size_text(bytes) + " of experts are resident";
}

}  // namespace

ClusterSight sight_of(bool healthy, const nlohmann::json& health, const nlohmann::json& status) {
  const auto& loading = member(status, "loading");
  const double fitting = number(loading, "fitting_bytes");
  ClusterSight sight{
      .served = healthy, .all_ready = all_processes_ready(status), .loaded_share = number(loading, "share")};
  const auto& reason = member(health, "reason");
  if (!healthy && reason.is_string()) {
    sight.progress = reason.get<std::string>();
  } else if (fitting > 0) {
    sight.progress = loading_text(sight.loaded_share, fitting);
  }
  return sight;
}

bool ReadyCore::is_ready(const ClusterSight& sight, TimePoint now) {
  if (!sight.served) {
    served_since_.reset();
    return false;
  }
  if (!served_since_) {
    served_since_ = now;
    loaded_more_ = now;
  }
  if (sight.loaded_share > loaded_share_) {
    loaded_share_ = sight.loaded_share;
    loaded_more_ = now;
  }
  const bool loaded = sight.loaded_share >= 1 || now - loaded_more_ >= kLoadingStalls;
  return (sight.all_ready && loaded) || now - *served_since_ >= kForStragglers;
}

}  // namespace sida::cli
