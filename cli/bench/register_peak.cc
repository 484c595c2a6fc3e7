#include "cli/bench/register_peak.h"

#include <immintrin.h>

#include "cli/bench/stopwatch.h"

namespace sida::bench {
namespace {

constexpr std::int64_t kTurns = 1 << 20;
constexpr int kChains = 12;  // More than latency times throughput of any processor so far (4 cycles, 2 a cycle).

// The compiler may not know what is in a register: it must keep every instruction.
template <typename Vector>
inline __attribute__((always_inline)) void opaque(Vector& vector) {
  asm volatile("" : "+v"(vector));
}

__attribute__((target("avx512f,avx512bf16"))) double dpbf16_flops() {
  __m512 acc[kChains] = {};
  for (auto& chain : acc) opaque(chain);  // Else all chains would be one.
  __m512i pairs = _mm512_setzero_si512();
  for (std::int64_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (auto& chain : acc) chain = _mm512_dpbf16_ps(chain, (__m512bh)pairs, (__m512bh)pairs);
    opaque(pairs);
  }
  for (auto& chain : acc) opaque(chain);
  return 64.0 * kChains * kTurns;
}

__attribute__((target("avx512f"))) double fma512_flops() {
  __m512 acc[kChains] = {};
  for (auto& chain : acc) opaque(chain);  // Else all chains would be one.
  __m512 factor = _mm512_setzero_ps();
  for (std::int64_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (auto& chain : acc) chain = _mm512_fmadd_ps(factor, factor, chain);
    opaque(factor);
  }
  for (auto& chain : acc) opaque(chain);
  return 32.0 * kChains * kTurns;
}

__attribute__((target("avx2,fma"))) double fma256_flops() {
  __m256 acc[kChains] = {};
  for (auto& chain : acc) opaque(chain);  // Else all chains would be one.
  __m256 factor = _mm256_setzero_ps();
  for (std::int64_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (auto& chain : acc) chain = _mm256_fmadd_ps(factor, factor, chain);
    opaque(factor);
  }
  for (auto& chain : acc) opaque(chain);
  return 16.0 * kChains * kTurns;
}

}  // namespace

double register_peak(const std::string& cpu_kernel, DType dtype) {
  double (*loop)() = nullptr;
  if (cpu_kernel == "avx512bf16" && dtype == DType::kBFloat16) {
    loop = dpbf16_flops;
  } else if (cpu_kernel == "avx512bf16" || cpu_kernel == "avx512") {
    loop = fma512_flops;
  } else if (cpu_kernel == "avx2") {
    loop = fma256_flops;
  } else {
    return 0;
  }
  const Stopwatch watch(Time::kThreadCpu);
  const double operations = loop();
  return operations / watch.seconds();
}

}  // namespace sida::bench
