#include "common/model/compute_dtype.h"

namespace sida::model {

Result<DType> compute_dtype(const std::string& option, DType stored) {
  if (option == "fp32") return DType::kFloat32;
  if (option == "bf16") return DType::kBFloat16;
  if (option == "auto") return stored == DType::kBFloat16 ? DType::kBFloat16 : DType::kFloat32;
  return fail(ErrorCode::kInvalidArgument, "dtype '" + option + "' is not auto, fp32 or bf16");
}

Result<DType> compute_dtype(const std::string& option, const ModelDirectory& model) {
  if (model.store() == nullptr) return compute_dtype(option, model.config().dtype);
  const DType held = model.store()->geometry.dtype;
  const auto asked = option == "auto" ? held : compute_dtype(option, held);
  if (!asked || *asked == held) return asked;
  const std::string wanted(name(*asked));
  return fail(ErrorCode::kInvalidArgument, model.path().string() + ": its experts are stored as " +
                                               std::string(name(held)) + "; leave --dtype out, or make another store " +
                                               "with 'sida convert --dtype " + wanted + "'");
}

}  // namespace sida::model
