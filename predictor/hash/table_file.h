// The safetensors file of a token-id table, read tensor by tensor with every value checked.
#pragma once

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

// Every tensor is [vocab_size, k].
struct TableShape {
  std::int64_t vocab_size = 0;
  std::int64_t k = 0;
  std::int64_t num_experts = 0;
};

// Errors of all methods: kInvalidModel naming file and tensor, kIo.
class TableFile {
 public:
  // Also kNotFound. Reads the header only.
  static Result<TableFile> open(const std::filesystem::path& path);

  // int16, each -1 or an expert of the model.
  Result<std::vector<std::int16_t>> read_experts(const std::string& name, const TableShape& shape);
  // fp16 or bf16, each in [0, 1].
  Result<std::vector<float>> read_confidences(const std::string& name, const TableShape& shape);
  // Every tensor of the file was asked for: others mean that it was made for another model.
  Result<void> check_all_read() const;
  // BLAKE2b-256 (libsodium's crypto_generichash, no key) of the file's bytes.
  [[nodiscard]] Result<proto::Fingerprint> fingerprint() const;

 private:
  TableFile(std::string path, model::ReadOnlyFile file, std::map<std::string, model::StoredTensor> tensors)
      : path_(std::move(path)), file_(std::move(file)), tensors_(std::move(tensors)) {}

  Result<const model::StoredTensor*> find(const std::string& name, const TableShape& shape);
  Result<std::vector<std::uint16_t>> read_words(const model::StoredTensor& tensor) const;
  [[nodiscard]] tl::unexpected<Error> invalid(const std::string& tensor, const std::string& why) const;

  std::string path_;
  model::ReadOnlyFile file_;
  std::map<std::string, model::StoredTensor> tensors_;
  std::set<std::string> read_;
};

}  // namespace sida::predictor
