#include "common/store/write_safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/model/free_space.h"
#include "common/model/geometry.h"
#include "common/model/output_file.h"
#include "common/model/read_only_file.h"
#include "common/model/safetensors_writer.h"
#include "common/model/shard_plan.h"
#include "common/store/description_files.h"
#include "common/store/source_identity.h"
#include "common/store/unfinished_directory.h"

namespace sida::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPieceElements = 1U << 20U;
constexpr std::uint64_t kConfigBytesMax = 1U << 20U;

bool is_floating(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16;
}

float value_of(const std::byte* source, DType dtype, std::size_t index) {
  if (dtype == DType::kFloat32) {
    float value = 0;
    std::memcpy(&value, source + index * sizeof value, sizeof value);
    return value;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, source + index * sizeof bits, sizeof bits);
  return dtype == DType::kBFloat16 ? to_float(BFloat16{bits}) : half_to_float(bits);
}

void convert_values(std::span<const std::byte> source, DType from, DType to, std::vector<std::byte>& out) {
  const std::size_t count = source.size() / bytes_per_element(from);
  out.resize(count * bytes_per_element(to));
  for (std::size_t i = 0; i < count; ++i) {
    const float value = value_of(source.data(), from, i);
    if (to == DType::kFloat32) {
      std::memcpy(out.data() + i * sizeof value, &value, sizeof value);
    } else {
      const BFloat16 rounded = to_bfloat16(value);
      std::memcpy(out.data() + i * sizeof rounded, &rounded, sizeof rounded);
    }
  }
}

Result<std::vector<model::TensorToWrite>> tensors_of(const model::ModelDirectory& model, DType dtype) {
  std::vector<model::TensorToWrite> tensors;
  SIDA_TRY(visit_required_tensors(model.config(), model.geometry(), [&](model::RequiredTensor tensor) -> Result<void> {
    const DType stored = model.tensor(tensor.name).dtype;
    tensors.push_back({std::move(tensor.name), is_floating(stored) ? dtype : stored, std::move(tensor.shape), {}});
    return {};
  }));
  std::ranges::sort(tensors, {}, &model::TensorToWrite::name);
  return tensors;
}

// The configuration names the type of the weights, under either of the two keys that Hugging Face has used.
Result<void> rename_dtype(const fs::path& config, DType dtype) {
  const auto text = model::read_text_file(config, kConfigBytesMax);
  if (!text) return tl::unexpected(text.error());
  auto json = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail(ErrorCode::kInvalidModel, config.string() + ": not a JSON object");
  const char* key = json.contains("dtype") ? "dtype" : "torch_dtype";
  json[key] = dtype == DType::kBFloat16 ? "bfloat16" : "float32";
  std::error_code error;
  fs::remove(config, error);
  return model::write_text_file(config, json.dump(2) + "\n");
}

class SafetensorsConversion {
 public:
  SafetensorsConversion(const model::ModelDirectory& model, const WriteSafetensorsOptions& options,
                        std::vector<model::TensorToWrite> tensors, UnfinishedDirectory directory,
                        const StoreProgress& progress)
      : model_(model),
        options_(options),
        shards_(plan_shards(std::move(tensors), options.shard_bytes_max, "model", ".safetensors")),
        directory_(std::move(directory)),
        finished_(directory_.notes().begin(), directory_.notes().end()),
        progress_(progress) {
    for (const model::Shard& shard : shards_) bytes_total_ += bytes_of(shard);
  }

  Result<void> write() {
    SIDA_TRY(clear_away());
    for (const model::Shard& shard : shards_) bytes_done_ += finished_.contains(shard.file) ? bytes_of(shard) : 0;
    SIDA_TRY(tell());
    SIDA_TRY(copy_description(model_.path(), directory_.path()));
    if (options_.dtype != model_.config().dtype) {
      SIDA_TRY(rename_dtype(directory_.path() / "config.json", options_.dtype));
    }
    for (const model::Shard& shard : shards_) {
      if (!finished_.contains(shard.file)) SIDA_TRY(write_shard(shard));
    }
    if (shards_.size() > 1) {
      SIDA_TRY(model::write_text_file(directory_.path() / "model.safetensors.index.json", shard_index_json(shards_)));
    }
    return directory_.finish();
  }

 private:
  static std::uint64_t bytes_of(const model::Shard& shard) {
    std::uint64_t bytes = 0;
    for (const model::TensorToWrite& tensor : shard.tensors) bytes += tensor.bytes();
    return bytes;
  }

  Result<void> tell() {
    if (!progress_ || progress_(bytes_done_, bytes_total_)) return {};
    return fail(ErrorCode::kCancelled, "interrupted; the same command goes on where it stopped");
  }

  // All but the shards that an earlier run noted as finished.
  Result<void> clear_away() {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory_.path(), error)) {
      const std::string file = entry.path().filename().string();
      if (file == UnfinishedDirectory::kJournal || finished_.contains(file)) continue;
      fs::remove_all(entry.path(), error);
    }
    if (error) return fail(ErrorCode::kIo, directory_.path().string() + ": cannot clear: " + error.message());
    std::erase_if(finished_, [&](const std::string& file) { return !fs::exists(directory_.path() / file, error); });
    return {};
  }

  Result<void> write_shard(const model::Shard& shard) {
    auto writer = model::create_safetensors(directory_.path() / shard.file, shard.tensors);
    if (!writer) return tl::unexpected(std::move(writer).error());
    for (const model::TensorToWrite& tensor : shard.tensors) SIDA_TRY(write_tensor(tensor, **writer));
    SIDA_TRY((*writer)->finish());
    return directory_.note(shard.file);
  }

  Result<void> write_tensor(const model::TensorToWrite& tensor, model::TensorFileWriter& writer) {
    const model::TensorInfo& stored = model_.tensor(tensor.name);
    const std::uint64_t piece_bytes = kPieceElements * bytes_per_element(stored.dtype);
    for (std::uint64_t done = 0; done < stored.bytes; done += piece_bytes) {
      model::TensorInfo piece = stored;
      piece.offset += done;
      piece.bytes = std::min(piece_bytes, stored.bytes - done);
      read_.resize(piece.bytes);
      SIDA_TRY(model_.weights().read(piece, read_));
      model_.weights().forget(piece);
      const bool same = stored.dtype == tensor.dtype;
      if (!same) convert_values(read_, stored.dtype, tensor.dtype, converted_);
      const std::vector<std::byte>& bytes = same ? read_ : converted_;
      SIDA_TRY(writer.append(bytes));
      bytes_done_ += bytes.size();
      SIDA_TRY(tell());
    }
    return {};
  }

  const model::ModelDirectory& model_;
  const WriteSafetensorsOptions& options_;
  std::vector<model::Shard> shards_;
  UnfinishedDirectory directory_;
  std::set<std::string, std::less<>> finished_;  // Files of an earlier run.
  const StoreProgress& progress_;
  std::uint64_t bytes_total_ = 0;
  std::uint64_t bytes_done_ = 0;
  std::vector<std::byte> read_;
  std::vector<std::byte> converted_;
};

}  // namespace

Result<void> write_safetensors(const fs::path& destination, const model::ModelDirectory& model,
                               const WriteSafetensorsOptions& options, const StoreProgress& progress) {
  if (model.store() != nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                model.path().string() + ": is an expert store; name the directory that it was made from");
  }
  auto tensors = tensors_of(model, options.dtype);
  if (!tensors) return tl::unexpected(std::move(tensors).error());
  const auto identity = source_identity(model);
  if (!identity) return tl::unexpected(identity.error());
  auto directory = UnfinishedDirectory::open(
      destination, "sida safetensors 1\n" + std::string(name(options.dtype)) + "\n" + *identity + "\n");
  if (!directory) return tl::unexpected(std::move(directory).error());
  std::uint64_t bytes = 0;
  for (const model::TensorToWrite& tensor : *tensors) bytes += tensor.bytes();
  if (directory->notes().empty()) {
    if (auto fits = model::check_space(directory->path(), bytes); !fits) {
      directory->discard();
      return fits;
    }
  }
  return SafetensorsConversion(model, options, *std::move(tensors), *std::move(directory), progress).write();
}

}  // namespace sida::store
