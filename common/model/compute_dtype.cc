#include "common/model/compute_dtype.h"

namespace sida::model {

Result<DType> compute_dtype(const std::string& option, DType stored) {
  if (option == "fp32") return DType::kFloat32;
  if (option == "bf16") return DType::kBFloat16;
  if (option == "auto") return stored == DType::kBFloat16 ? DType::kBFloat16 : DType::kFloat32;
  return fail(ErrorCode::kInvalidArgument, "dtype '" + option + "' is not auto, fp32 or bf16");
}

}  // namespace sida::model
