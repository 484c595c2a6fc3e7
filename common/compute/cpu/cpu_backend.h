// The CPU's implementation of Backend, over one instruction set's kernels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/compute/backend.h"
#include "common/compute/cpu/kernel_choice.h"
#include "common/compute/cpu/kernel_table.h"
#include "common/compute/cpu/scratch.h"
#include "common/runtime/fork_join.h"

namespace sida::compute::cpu {

// "cpu", order 1. One id for all CPU kernels: they give the same bits. Raise the last number whenever the order of
// additions in docs/numerics.md changes.
inline constexpr std::uint64_t kNumericsId = 0x6370'7500'0000'0001;

class CpuBackend final : public Backend {
 public:
  CpuBackend(NamedKernels kernels, int threads);

  [[nodiscard]] Capabilities capabilities() const override;
  void linear(ConstRows x, const PackedMatrix& weight, Rows y) override;
  void rms_norm(ConstRows x, const float* weight, float epsilon, Rows y) override;
  void attention(std::span<const Attention> sequences) override;
  void gate(const Gate& gate) override;
  void ffn(ConstRows x, const PackedFfn& weights, Rows y) override;

 private:
  struct Head {
    const Attention* sequence;
    std::int64_t head;
  };

  void run_linear(ConstRows x, const PackedMatrix& weight, Rows y, bool relu);
  LinearTask linear_task(ConstRows x, const PackedMatrix& weight, Rows y);
  void run_head(const Head& head, Scratch& scratch) const;

  NamedKernels kernels_;
  ForkJoin threads_;
  std::vector<Scratch> of_thread_;  // One per thread.
  Scratch rows_;                    // Rows in the form that the kernel reads.
  Scratch inner_;                   // [rows, d_ff] between the two matrices of an FFN.
  Scratch gate_rows_;               // [rows, d_model] widened for the gate.
  std::vector<Head> heads_;
};

}  // namespace sida::compute::cpu
