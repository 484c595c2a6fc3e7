// What `sida bench kernel` times: the layers of a Switch-base expert, by sida's kernels and by LibTorch, weights cold.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tensor/dtype.h"

namespace sida::bench {

// Of Switch-base: wi is [3072, 768], wo is [768, 3072].
inline constexpr std::int64_t kModelWidth = 768;
inline constexpr std::int64_t kInnerWidth = 3072;

enum class Layer {
  kLinear,  // y = wi x
  kExpert,  // y = wo relu(wi x), one call of sida's; two linear layers and a ReLU in LibTorch.
};

// Weights count once per call, whatever the rows.
std::int64_t weight_bytes(Layer layer, DType dtype);
std::int64_t operations(Layer layer, std::int64_t rows);

// One thing to time. Each call takes the next of many equal experts, together far larger than the caches.
struct Subject {
  std::string kernel;  // "avx512bf16", ..., "expert"; "at::linear", "onednn" and the same with " expert".
  Layer layer = Layer::kLinear;
  std::string peak_kernel;  // Whose register peak it is held against (register_peak.h).
  std::function<void()> call;
};

struct SubjectOptions {
  std::vector<std::string> cpu_kernels;  // Of compute::cpu_kernels(); the first also computes whole experts.
  DType dtype = DType::kFloat32;         // kFloat32 or kBFloat16.
  int threads = 1;
  std::size_t weight_bytes = 0;  // That the copies of an expert fill, of each library; at least one copy.
};

// Weights of one dtype, packed once for sida and once for LibTorch, and the subjects over them. One thread.
class KernelSubjects {
 public:
  // Takes about three times `weight_bytes` of memory. `rows` is ignored here.
  explicit KernelSubjects(const SubjectOptions& options);
  ~KernelSubjects();
  KernelSubjects(const KernelSubjects&) = delete;
  KernelSubjects& operator=(const KernelSubjects&) = delete;

  // For so many rows; oneDNN's weights are packed anew for them. Valid until the next call. kInvalidArgument on a
  // kernel that this processor lacks; kInternal when LibTorch threw.
  Result<std::vector<Subject>> with_rows(std::int64_t rows);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sida::bench
