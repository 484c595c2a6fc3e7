#include "common/model/make_model.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/model/free_space.h"
#include "common/model/geometry.h"
#include "common/model/output_file.h"
#include "common/model/random_model.h"
#include "common/model/safetensors_writer.h"
#include "common/model/shard_plan.h"
#include "common/model/torch_checkpoint_writer.h"

namespace sida::model {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1U << 20U;

std::uint64_t total_bytes(const std::vector<TensorToWrite>& tensors) {
  std::uint64_t total = 0;
  for (const TensorToWrite& tensor : tensors) total += tensor.bytes();
  return total;
}

void add_aliases(std::vector<TensorToWrite>& tensors) {
  for (TensorToWrite& tensor : tensors) {
    if (tensor.name != kSharedName) continue;
    tensor.aliases = {std::string(kEncoderEmbeddingName), std::string(kDecoderEmbeddingName), std::string(kLmHeadName)};
  }
}

// Removes what was begun unless it was finished.
class PartialDirectory {
 public:
  explicit PartialDirectory(fs::path path) : path_(std::move(path)) {}
  PartialDirectory(const PartialDirectory&) = delete;
  PartialDirectory& operator=(const PartialDirectory&) = delete;
  ~PartialDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

  Result<void> rename_to(const fs::path& destination) {
    std::error_code error;
    fs::rename(path_, destination, error);
    if (error) return fail(ErrorCode::kIo, destination.string() + ": cannot rename: " + error.message());
    path_.clear();
    return {};
  }

 private:
  fs::path path_;
};

class ModelMaker {
 public:
  ModelMaker(const Blueprint& blueprint, const MakeModelOptions& options, const MakeModelProgress& progress)
      : blueprint_(blueprint),
        options_(options),
        progress_(progress),
        tensors_(random_tensors(blueprint)),
        bytes_total_(total_bytes(tensors_)) {}

  [[nodiscard]] std::uint64_t bytes_total() const { return bytes_total_; }

  Result<void> write(const fs::path& directory) {
    SIDA_TRY(write_random_description(directory, blueprint_));
    const bool safetensors = options_.format == WeightFormat::kSafetensors;
    const std::string stem = safetensors ? "model" : "pytorch_model";
    const std::string extension = safetensors ? ".safetensors" : ".bin";
    if (!safetensors) add_aliases(tensors_);
    const auto shards = plan_shards(std::move(tensors_), options_.shard_bytes_max, stem, extension);
    for (const Shard& shard : shards) SIDA_TRY(write_shard(directory, shard));
    if (shards.size() == 1) return {};
    return write_text_file(directory / (stem + extension + ".index.json"), shard_index_json(shards));
  }

 private:
  Result<void> write_shard(const fs::path& directory, const Shard& shard) {
    auto writer = options_.format == WeightFormat::kSafetensors
                      ? create_safetensors(directory / shard.file, shard.tensors)
                      : create_torch_checkpoint(directory / shard.file, shard.tensors);
    if (!writer) return tl::unexpected(std::move(writer).error());
    for (const TensorToWrite& tensor : shard.tensors) SIDA_TRY(write_tensor(tensor, **writer));
    return (*writer)->finish();
  }

  Result<void> write_tensor(const TensorToWrite& tensor, TensorFileWriter& writer) {
    const std::uint64_t bytes = tensor.bytes();
    for (std::uint64_t done = 0; done < bytes; done += kPieceBytes) {
      const auto piece = std::span(buffer_).first(std::min<std::uint64_t>(kPieceBytes, bytes - done));
      fill_random(options_.seed, blueprint_.config, tensor.name, tensor.dtype, done / bytes_per_element(tensor.dtype),
                  piece);
      SIDA_TRY(writer.append(piece));
      bytes_done_ += piece.size();
      if (progress_ && !progress_(bytes_done_, bytes_total_)) {
        return fail(ErrorCode::kCancelled, "stopped while writing the model");
      }
    }
    return {};
  }

  const Blueprint& blueprint_;
  const MakeModelOptions& options_;
  const MakeModelProgress& progress_;
  std::vector<TensorToWrite> tensors_;
  std::uint64_t bytes_total_;
  std::uint64_t bytes_done_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kPieceBytes);
};

}  // namespace

std::uint64_t weight_bytes(const Blueprint& blueprint) {
  return total_bytes(random_tensors(blueprint));
}

Result<void> make_model(const std::filesystem::path& destination, const Blueprint& blueprint,
                        const MakeModelOptions& options, const MakeModelProgress& progress) {
  fs::path target = fs::absolute(destination).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // Of "folder/".
  const fs::path folder = target.parent_path();
  std::error_code error;
  if (blueprint.config.hash_routing && options.format != WeightFormat::kSafetensors) {
    return fail(ErrorCode::kInvalidArgument, "hash routing is a table of integers, which only safetensors hold");
  }
  if (fs::exists(target, error)) {
    return fail(ErrorCode::kInvalidArgument,
                destination.string() + ": exists already; remove it or name another place");
  }
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, folder.string() + ": cannot create: " + error.message());
  ModelMaker maker(blueprint, options, progress);
  SIDA_TRY(check_space(folder, maker.bytes_total()));
  const fs::path partial = target.string() + ".partial";
  if (!fs::create_directory(partial, error)) {
    if (error) return fail(ErrorCode::kIo, partial.string() + ": cannot create: " + error.message());
    return fail(
        ErrorCode::kInvalidArgument,
        partial.string() + ": exists already, left by an interrupted run or written now; remove it if it is not");
  }
  PartialDirectory directory(partial);
  SIDA_TRY(maker.write(directory.path()));
  return directory.rename_to(target);
}

}  // namespace sida::model
