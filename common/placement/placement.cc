#include "common/placement/placement.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/result.h"

namespace sida::placement {
namespace {

// FNV-1a, 64 bits (Fowler, Noll, Vo; offset basis and prime as published).
std::uint64_t hash_name(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return hash;
}

// The output function of SplitMix64 (Steele, Lea, Flood 2014): a bijection in which every input bit reaches every
// output bit.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

std::uint64_t hash(const std::string& name, ExpertKey key) {
  const std::uint64_t expert = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(key.layer.value)) << 32U) |
                               static_cast<std::uint32_t>(key.expert.value);
  return mix(mix(hash_name(name)) ^ mix(expert));
}

// -ln(u) for u in (0, 1). Written out with IEEE operations only: the library's log may differ in the last bit between
// machines, and then two of them could order workers differently.
double minus_ln(double u) {
  int exponent = 0;
  double mantissa = std::frexp(u, &exponent);  // u = mantissa * 2^exponent, mantissa in [0.5, 1).
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    --exponent;
  }
  // ln(m) = 2 atanh(z) with z = (m - 1) / (m + 1), |z| < 0.172: z^23 is below the last bit.
  const double z = (mantissa - 1) / (mantissa + 1);
  const double square = z * z;
  double series = 0;
  for (int n = 21; n >= 1; n -= 2) series = series * square + 1.0 / n;
  constexpr double kLn2 = 0.69314718055994531;
  return -(exponent * kLn2 + 2 * z * series);
}

// Smaller is better: an exponentially distributed time with rate `weight`; the first to fire wins with probability
// proportional to its weight.
double rank(const Candidate& candidate, ExpertKey key) {
  // 53 bits, moved off both ends of (0, 1).
  const double u = (static_cast<double>(hash(candidate.name, key) >> 11U) + 0.5) * 0x1p-53;
  return minus_ln(u) / candidate.weight;
}

}  // namespace

std::vector<WorkerId> placement(ExpertKey key, std::span<const Candidate> workers) {
  struct Ranked {
    double rank;
    const Candidate* candidate;
  };
  std::vector<Ranked> ranked;
  ranked.reserve(workers.size());
  for (const Candidate& candidate : workers) {
    if (!candidate.covers) continue;
    SIDA_CHECK(candidate.weight > 0);
    ranked.push_back({rank(candidate, key), &candidate});
  }
  std::ranges::sort(ranked, [](const Ranked& a, const Ranked& b) {
    if (a.rank != b.rank) return a.rank < b.rank;
    if (a.candidate->name != b.candidate->name) return a.candidate->name < b.candidate->name;
    return a.candidate->worker < b.candidate->worker;
  });
  std::vector<WorkerId> order;
  order.reserve(ranked.size());
  for (const Ranked& entry : ranked) order.push_back(entry.candidate->worker);
  return order;
}

}  // namespace sida::placement
