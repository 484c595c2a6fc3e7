#include "common/compute/cpu/block_avx2.h"
// The block first: the kernels are written over it.
#include "common/compute/cpu/attention_kernels.h"
#include "common/compute/cpu/linear_kernels.h"

namespace sida::compute::cpu {

const KernelTable kAvx2Kernels = {
    .bf16_rows_as_fp32 = true,
    .linear_fp32 = linear<Float32Panels>,
    .linear_bf16 = linear<WidenedPairPanels>,
    .rms_norm = rms_norm,
    .attention = attention,
    .softmax = softmax,
};

}  // namespace sida::compute::cpu
