#include "cli/bench/offload_plan.h"

#include <algorithm>

namespace sida::bench {
namespace {

bool knows_budget(const std::string& policy) {
  return policy != "resident" && policy != "demand";
}

Setting setting_of(const std::string& policy, double share, const OffloadModel& model) {
  const auto all = static_cast<double>(model.experts_bytes());
  if (policy == "resident") return {policy, 1, 0};
  const std::uint64_t wanted = policy == "demand" ? 0 : static_cast<std::uint64_t>(share * all);
  const std::uint64_t bytes = std::max(wanted, model.memory_bytes_min);
  return {policy, std::min(1.0, static_cast<double>(bytes) / all), bytes};
}

}  // namespace

std::vector<std::string> parse_policies(const std::string& text, std::vector<std::string>& problems) {
  std::vector<std::string> policies;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    begin = end + 1;
    if (std::ranges::find(kPolicies, name) == kPolicies.end()) {
      problems.push_back("'" + name +
                         "' is no policy: name some of resident, demand, fifo, lru, table-alone, table, oracle.");
    } else if (std::ranges::find(policies, name) == policies.end()) {
      policies.push_back(name);
    }
  }
  return policies;
}

std::vector<Setting> plan_settings(const std::vector<std::string>& policies,
                                   const std::vector<std::int32_t>& budgets_percent, const OffloadModel& model) {
  std::vector<Setting> settings;
  for (const std::int32_t percent : budgets_percent) {
    for (const std::string& policy : policies) {
      Setting setting = setting_of(policy, percent / 100.0, model);
      const bool there = std::ranges::any_of(settings, [&](const Setting& other) {
        return other.policy == policy && (!knows_budget(policy) || other.bytes == setting.bytes);
      });
      if (!there) settings.push_back(std::move(setting));
    }
  }
  return settings;
}

std::vector<Setting> in_round(std::vector<Setting> settings, int round) {
  if (settings.empty()) return settings;
  // Odd rounds run backwards: rotating alone would keep everyone's predecessor.
  const auto first = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(round / 2) % settings.size());
  std::rotate(settings.begin(), settings.begin() + first, settings.end());
  if (round % 2 == 1) std::reverse(settings.begin(), settings.end());
  return settings;
}

cli::ClusterOptions cluster_of(const Setting& setting, cli::ClusterOptions base, const std::string& oracle) {
  const std::string& policy = setting.policy;
  base.expert_memory_bytes = setting.bytes;
  base.eviction = policy == "fifo" || policy == "lru" ? policy : policy == "demand" ? "lru" : "table";
  if (policy == "oracle") {
    base.predictor = oracle;
  } else if (policy != "table") {
    base.predictor = "none";
  }
  return base;
}

}  // namespace sida::bench
