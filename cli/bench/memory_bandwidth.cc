#include "cli/bench/memory_bandwidth.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace sida::bench {
namespace {

constexpr std::size_t kPad = std::size_t{64} * 1024;  // Prefetches may look beyond the end.

void keep(const void* value) {
  asm volatile("" : : "g"(value) : "memory");
}

template <std::size_t Step, std::size_t Ahead>
inline __attribute__((always_inline)) void prefetch_step(const std::byte* at) {
  if constexpr (Ahead > 0) {
    for (std::size_t line = 0; line < Step; line += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(at) + Ahead + line, _MM_HINT_T0);
    }
  }
}

// Sums, so that every byte is loaded; four chains hide the additions.
template <std::size_t Step, std::size_t Ahead>
void read_sse2(const std::byte* from, std::size_t bytes) {
  __m128i sums[4] = {};
  for (std::size_t i = 0; i < bytes; i += Step) {
    prefetch_step<Step, Ahead>(from + i);
    const auto* vectors = reinterpret_cast<const __m128i*>(from + i);
#pragma GCC unroll 16
    for (std::size_t j = 0; j < Step / sizeof(__m128i); ++j) {
      sums[j % 4] = _mm_add_epi64(sums[j % 4], _mm_load_si128(vectors + j));
    }
  }
  keep(sums);
}

template <std::size_t Step, std::size_t Ahead>
__attribute__((target("avx512f"))) void read_avx512(const std::byte* from, std::size_t bytes) {
  __m512i sums[4] = {};
  for (std::size_t i = 0; i < bytes; i += Step) {
    prefetch_step<Step, Ahead>(from + i);
    const auto* vectors = reinterpret_cast<const __m512i*>(from + i);
#pragma GCC unroll 16
    for (std::size_t j = 0; j < Step / sizeof(__m512i); ++j) {
      sums[j % 4] = _mm512_add_epi64(sums[j % 4], _mm512_load_si512(vectors + j));
    }
  }
  keep(sums);
}

using Loop = void (*)(const std::byte* from, std::size_t bytes);

// The quickest of a dozen tried; which of them it is changes from machine to machine.
std::vector<Loop> usable_loops() {
  if (__builtin_cpu_supports("avx512f") != 0) {
    return {read_avx512<64, 0>, read_avx512<128, 1024>, read_avx512<256, 4096>};
  }
  return {read_sse2<64, 0>, read_sse2<128, 1024>, read_sse2<256, 4096>};
}

}  // namespace

MemoryBandwidth::MemoryBandwidth(std::size_t bytes, int threads) : memory_(bytes + kPad), threads_(threads) {
  std::memset(memory_.data(), 1, memory_.size());  // Pages that nobody wrote would all be one page of zeros.
}

double MemoryBandwidth::pass() {
  const auto threads = static_cast<std::size_t>(threads_.threads());
  const std::size_t share = (memory_.size() - kPad) / threads / 4096 * 4096;
  double best = 0;
  for (const Loop read : usable_loops()) {
    const Stopwatch watch(threads == 1 ? Time::kThreadCpu : Time::kWall);
    threads_.run(threads_.threads(), [&](std::int64_t index, int /*thread*/) {
      read(memory_.data() + static_cast<std::size_t>(index) * share, share);
    });
    best = std::max(best, static_cast<double>(share * threads) / watch.seconds());
  }
  return best;
}

}  // namespace sida::bench
