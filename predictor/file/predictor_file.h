// A hash function's safetensors file, read tensor by tensor with every value checked. Untrusted input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/read_only_file.h"
#include "common/model/stored_tensor.h"
#include "common/proto/messages.h"

namespace sida::predictor {

struct StoredValues {
  DType dtype = DType::kFloat32;
  std::vector<std::byte> bytes;  // Row-major, as stored.
};

// At most 1 GiB. Errors of all methods: kInvalidModel naming file and tensor, kIo.
class PredictorFile {
 public:
  // Also kNotFound. Reads the header only.
  static Result<PredictorFile> open(const std::filesystem::path& path);

  // The tensor must exist with this shape and one of these dtypes.
  Result<StoredValues> read(const std::string& name, const std::vector<std::int64_t>& shape,
                            const std::vector<DType>& dtypes);
  // fp32 or bf16, each finite; widened.
  Result<std::vector<float>> read_weights(const std::string& name, const std::vector<std::int64_t>& shape);
  // Every tensor of the file was asked for: others mean that it was made for another model.
  Result<void> check_all_read() const;
  // BLAKE2b-256 (libsodium's crypto_generichash, no key) of the file's bytes.
  [[nodiscard]] Result<proto::Fingerprint> fingerprint() const;

  [[nodiscard]] tl::unexpected<Error> invalid(const std::string& tensor, const std::string& why) const;

 private:
  PredictorFile(std::string path, model::ReadOnlyFile file, std::map<std::string, model::StoredTensor> tensors)
      : path_(std::move(path)), file_(std::move(file)), tensors_(std::move(tensors)) {}

  std::string path_;
  model::ReadOnlyFile file_;
  std::map<std::string, model::StoredTensor> tensors_;
  std::set<std::string> read_;
};

}  // namespace sida::predictor
