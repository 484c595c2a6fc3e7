// A store of the weights of a model directory as Hugging Face writes it.
#pragma once

#include <utility>

#include "common/model/model_directory.h"
#include "common/store/store_source.h"

namespace sida::store {

class DirectorySource : public StoreSource {
 public:
  // `dtype`: of the blocks, kFloat32 or kBFloat16. `tokenizer`: tokenizer::fingerprint() of the directory.
  // Errors: kInvalidArgument when it is an expert store already, or has no experts; kIo.
  static Result<DirectorySource> make(model::ModelDirectory model, DType dtype, const model::Fingerprint& tokenizer);

  [[nodiscard]] const StoreContents& contents() const override { return contents_; }
  // Copies it (description_files.h).
  [[nodiscard]] Result<void> write_description(const std::filesystem::path& directory) override;
  [[nodiscard]] Result<void> read_trunk(const model::TensorToWrite& tensor, std::uint64_t first_byte,
                                        std::span<std::byte> destination) override;
  [[nodiscard]] Result<void> read_rows(ExpertKey key, const Band& band,
                                       std::span<std::byte> destination) const override;

 private:
  explicit DirectorySource(model::ModelDirectory model) : model_(std::move(model)) {}

  model::ModelDirectory model_;
  StoreContents contents_;
};

}  // namespace sida::store
