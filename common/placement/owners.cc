#include "common/placement/owners.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

namespace sida::placement {
namespace {

double slots_of(const proto::Member& member) {
  return std::max(1.0, static_cast<double>(member.capacity.slots));
}

// What is not a positive number counts as one expert per second.
double announced_speed(const proto::Member& member) {
  const double speed = member.capacity.experts_per_second;
  return std::isfinite(speed) && speed > 0 ? speed : 1;
}

// As a share of the fastest member's, rounded to a power of the square root of two: machines of one kind come out equal
// although their measurements differ. Not below 2^-20.
double relative_speed(double speed, double fastest) {
  constexpr double kSqrtHalf = 0.70710678118654752;
  constexpr double kMidway = 0.84089641525371454;  // Between two powers, on the logarithmic scale.
  double rounded = 1;
  for (int step = 0; step < 40 && speed / fastest < rounded * kMidway; ++step) rounded *= kSqrtHalf;
  return rounded;
}

// Live members in an order that every process sees: sums of doubles depend on it.
std::vector<std::size_t> canonical_order(std::span<const proto::Member> members) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!members[i].draining) order.push_back(i);
  }
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::tie(members[i].name, members[i].worker); });
  return order;
}

// Gives each member its share by speed; one that would get more than its slots gets its slots, and the others divide
// the rest. Ends, since every round but the last fixes a member.
void fill_by_speed(std::span<const proto::Member> members, std::vector<std::size_t> open, double experts,
                   std::vector<double>& weights) {
  double fastest = 0;
  for (std::size_t i : open) fastest = std::max(fastest, announced_speed(members[i]));
  const auto speed_of = [&](std::size_t i) { return relative_speed(announced_speed(members[i]), fastest); };
  while (!open.empty()) {
    double speed = 0;
    for (std::size_t i : open) speed += speed_of(i);
    for (std::size_t i : open) weights[i] = std::min(slots_of(members[i]), experts / speed * speed_of(i));
    const auto full = [&](std::size_t i) { return weights[i] >= slots_of(members[i]); };
    for (std::size_t i : open) experts -= full(i) ? slots_of(members[i]) : 0;
    if (std::erase_if(open, full) == 0) return;
    if (experts <= 0) {  // Only by rounding: what is left is next to nothing, but weights stay positive.
      for (std::size_t i : open) weights[i] = 1e-6;
      return;
    }
  }
}

// The numerics id whose members hold the whole model, with the greatest weight; nothing when there is none.
std::optional<std::uint64_t> home_numerics(std::span<const proto::Member> members, std::span<const double> weights,
                                           std::uint64_t experts_total) {
  struct Sum {
    double slots = 0;
    double weight = 0;
  };
  std::map<std::uint64_t, Sum> sums;
  for (std::size_t i : canonical_order(members)) {
    Sum& sum = sums[members[i].numerics_id];
    sum.slots += slots_of(members[i]);
    sum.weight += weights[i];
  }
  std::optional<std::uint64_t> best;
  for (const auto& [id, sum] : sums) {
    if (sum.slots < static_cast<double>(experts_total)) continue;
    if (!best || sum.weight > sums[*best].weight) best = id;
  }
  return best;
}

}  // namespace

std::vector<double> candidate_weights(std::span<const proto::Member> members, std::uint64_t experts_total) {
  std::vector<double> weights(members.size(), 0.0);
  const std::vector<std::size_t> live = canonical_order(members);
  double slots = 0;
  for (std::size_t i : live) slots += slots_of(members[i]);
  if (slots <= static_cast<double>(experts_total)) {
    for (std::size_t i : live) weights[i] = slots_of(members[i]);
  } else {
    fill_by_speed(members, live, std::max(1.0, static_cast<double>(experts_total)), weights);
  }
  return weights;
}

Owners::Owners(std::span<const proto::Member> members, std::uint64_t experts_total) {
  const std::vector<double> weights = candidate_weights(members, experts_total);
  const auto home = home_numerics(members, weights, experts_total);
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (weights[i] <= 0) continue;
    Entry& entry = entries_.emplace_back();
    entry.candidate.worker = members[i].worker;
    entry.candidate.name = members[i].name;
    entry.candidate.weight = weights[i];
    entry.covered_layers = members[i].covered_layers;
    entry.home = home == members[i].numerics_id;
    std::ranges::sort(entry.covered_layers);
  }
}

std::vector<WorkerId> Owners::of(ExpertKey key) const {
  std::vector<Candidate> home;
  std::vector<Candidate> others;
  for (const Entry& entry : entries_) {
    if (!entry.covered_layers.empty() && !std::ranges::binary_search(entry.covered_layers, key.layer)) continue;
    (entry.home ? home : others).push_back(entry.candidate);
  }
  std::vector<WorkerId> order = placement(key, home);
  const std::vector<WorkerId> rest = placement(key, others);
  order.insert(order.end(), rest.begin(), rest.end());
  return order;
}

}  // namespace sida::placement
