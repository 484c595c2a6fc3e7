#include "predictor/training/tensor_file.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <span>
#include <system_error>

#include "common/model/fingerprint.h"
#include "common/model/safetensors_writer.h"
#include "predictor/file/predictor_file.h"

namespace sida::predictor {

Result<void> write_tensors(const std::filesystem::path& path, const std::map<std::string, at::Tensor>& tensors) {
  std::vector<model::TensorToWrite> listed;
  for (const auto& [name, tensor] : tensors) {
    const DType dtype = tensor.scalar_type() == at::kBFloat16 ? DType::kBFloat16 : DType::kFloat32;
    listed.push_back({name, dtype, tensor.sizes().vec(), {}});
  }
  const std::filesystem::path partial = path.string() + ".partial";
  std::error_code ignored;
  std::filesystem::remove(partial, ignored);
  auto writer = model::create_safetensors(partial, listed);
  if (!writer) return tl::unexpected(std::move(writer).error());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor whole = tensor.contiguous();
    SIDA_TRY((*writer)->append({static_cast<const std::byte*>(whole.const_data_ptr()), whole.nbytes()}));
  }
  SIDA_TRY((*writer)->finish());
  std::error_code failed;
  std::filesystem::rename(partial, path, failed);
  if (failed) return fail(ErrorCode::kIo, path.string() + ": " + failed.message());
  return {};
}

Result<void> read_tensors(const std::filesystem::path& path, std::map<std::string, at::Tensor>& tensors) {
  auto file = PredictorFile::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  const c10::NoGradGuard no_gradients;
  for (auto& [name, tensor] : tensors) {
    auto values = file->read_weights(name, tensor.sizes().vec());
    if (!values) return tl::unexpected(std::move(values).error());
    tensor.copy_(at::from_blob(values->data(), tensor.sizes(), at::kFloat));
  }
  return file->check_all_read();
}

Result<std::string> hash_of_weights(const std::filesystem::path& path) {
  auto file = PredictorFile::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  const auto fingerprint = file->fingerprint();
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  return model::to_hex(*fingerprint);
}

}  // namespace sida::predictor
