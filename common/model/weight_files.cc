#include "common/model/weight_files.h"

#include <array>
#include <cstring>
#include <utility>

#include "common/model/quote_name.h"
#include "common/model/read_only_file.h"
#include "common/model/safetensors_reader.h"
#include "common/model/shard_index.h"
#include "common/model/torch_checkpoint_reader.h"

namespace sida::model {

namespace {

constexpr std::uint64_t kIndexBytesMax = 64U << 20U;  // switch-c-2048, 125,000 tensors, needs 15 MB.

// What a clone without Git LFS leaves in place of the weights; a frequent mistake that deserves its own sentence.
Result<void> refuse_lfs_pointer(const ReadOnlyFile& file) {
  constexpr std::string_view kPointer = "version https://git-lfs";
  std::array<char, kPointer.size()> start{};
  if (file.size() < start.size()) return {};
  SIDA_TRY(file.read(0, std::as_writable_bytes(std::span(start))));
  if (std::string_view(start.data(), start.size()) != kPointer) return {};
  return fail(ErrorCode::kInvalidModel, "a Git LFS pointer instead of weights; run 'git lfs pull' in the directory");
}

Result<std::vector<StoredTensor>> read_header(const ReadOnlyFile& file, bool safetensors) {
  SIDA_TRY(refuse_lfs_pointer(file));
  auto tensors = safetensors ? read_safetensors(file) : read_torch_checkpoint(file);
  if (tensors) SIDA_TRY(file.check_size_unchanged());
  return tensors;
}

std::string place_of(const std::filesystem::path& path, const TensorInfo& info) {
  return path.string() + ": tensor " + quote_name(info.name);
}

}  // namespace

struct WeightFiles::OpenFiles {
  std::vector<ReadOnlyFile> files;
};

// Collects files and tensors until the set is complete.
struct WeightFiles::Opener {
  std::filesystem::path directory;
  bool safetensors = true;
  WeightFiles weights;
  std::shared_ptr<OpenFiles> open_files = std::make_shared<OpenFiles>();

  // With an index, a tensor belongs to exactly the file that the index names.
  Result<void> add_file(const std::string& name, const ShardIndex* index) {
    const auto path = directory / name;
    auto file = ReadOnlyFile::open(path);
    if (!file) return missing_shard(std::move(file).error(), index);
    auto tensors = read_header(*file, safetensors);
    if (!tensors) return fail_at(path.string(), std::move(tensors).error());
    for (StoredTensor& tensor : *tensors) {
      if (auto done = add_tensor(std::move(tensor), name, index); !done) {
        return fail_at(path.string(), std::move(done).error());
      }
    }
    weights.paths_.push_back(path);
    open_files->files.push_back(std::move(*file));
    return {};
  }

  static tl::unexpected<Error> missing_shard(Error error, const ShardIndex* index) {
    if (index != nullptr && error.code == ErrorCode::kNotFound) {
      return fail(ErrorCode::kInvalidModel, error.message + " (the index names it; is the download complete?)");
    }
    return tl::unexpected(std::move(error));
  }

  Result<void> add_tensor(StoredTensor tensor, const std::string& file, const ShardIndex* index) {
    if (index != nullptr) {
      const auto listed = index->file_of.find(tensor.name);
      if (listed == index->file_of.end() || listed->second != file) {
        return fail(ErrorCode::kInvalidModel,
                    "tensor " + quote_name(tensor.name) + ": the index does not place it here");
      }
    }
    if (!tensor.dtype) {
      weights.unreadable_.emplace(tensor.name, std::move(tensor.dtype_name));
      return {};
    }
    TensorInfo info{.name = tensor.name,
                    .dtype = *tensor.dtype,
                    .shape = std::move(tensor.shape),
                    .file = weights.paths_.size(),
                    .offset = tensor.offset,
                    .bytes = tensor.bytes};
    weights.tensors_.emplace(std::move(tensor.name), std::move(info));
    return {};
  }

  Result<void> add_shards(const std::string& index_name) {
    const auto path = directory / index_name;
    const auto json = read_text_file(path, kIndexBytesMax);
    if (!json) return tl::unexpected(json.error());
    const auto index = parse_shard_index(*json);
    if (!index) return fail_at(path.string(), index.error());
    for (const std::string& file : index->files) SIDA_TRY(add_file(file, &*index));
    for (const auto& [tensor, file] : index->file_of) {
      if (weights.find(tensor) == nullptr && weights.unreadable_dtype(tensor).empty()) {
        return fail(ErrorCode::kInvalidModel, (directory / file).string() + ": tensor " + quote_name(tensor) +
                                                  " is missing, though the index lists it");
      }
    }
    return {};
  }

  Result<WeightFiles> finish() {
    weights.open_files_ = std::move(open_files);
    return std::move(weights);
  }
};

Result<WeightFiles> WeightFiles::open(const std::filesystem::path& directory) {
  struct Form {
    const char* file;
    bool safetensors;
    bool index;
  };
  constexpr std::array kForms{
      Form{"model.safetensors", true, false},
      Form{"model.safetensors.index.json", true, true},
      Form{"pytorch_model.bin", false, false},
      Form{"pytorch_model.bin.index.json", false, true},
  };
  for (const Form& form : kForms) {
    std::error_code ignored;
    if (!std::filesystem::exists(directory / form.file, ignored)) continue;
    Opener opener{.directory = directory, .safetensors = form.safetensors, .weights = {}};
    SIDA_TRY(form.index ? opener.add_shards(form.file) : opener.add_file(form.file, nullptr));
    return opener.finish();
  }
  return fail(ErrorCode::kNotFound, directory.string() +
                                        ": no weights: neither model.safetensors nor pytorch_model.bin nor an index of "
                                        "shards");
}

const TensorInfo* WeightFiles::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::string_view WeightFiles::unreadable_dtype(std::string_view name) const {
  const auto found = unreadable_.find(name);
  return found == unreadable_.end() ? std::string_view() : std::string_view(found->second);
}

Result<void> WeightFiles::read(const TensorInfo& info, std::span<std::byte> destination) const {
  SIDA_CHECK(info.file < paths_.size() && destination.size() == info.bytes);
  auto done = open_files_->files[info.file].read(info.offset, destination);
  if (!done) return fail_at(place_of(paths_[info.file], info), std::move(done).error());
  return {};
}

void WeightFiles::forget(const TensorInfo& info) const {
  SIDA_CHECK(info.file < paths_.size());
  open_files_->files[info.file].forget(info.offset, info.bytes);
}

Result<std::vector<std::byte>> WeightFiles::read_bytes(const TensorInfo& info) const {
  std::vector<std::byte> bytes(info.bytes);
  SIDA_TRY(read(info, bytes));
  return bytes;
}

Result<std::vector<float>> WeightFiles::read_as_fp32(const TensorInfo& info) const {
  if (info.dtype != DType::kFloat32 && info.dtype != DType::kBFloat16 && info.dtype != DType::kFloat16) {
    return fail(ErrorCode::kInvalidModel, place_of(paths_[info.file], info) + " has dtype " +
                                              std::string(name(info.dtype)) + ", not a floating-point one");
  }
  std::vector<float> values(info.bytes / bytes_per_element(info.dtype));
  if (info.dtype == DType::kFloat32) {
    SIDA_TRY(read(info, std::as_writable_bytes(std::span(values))));
    return values;
  }
  std::vector<std::uint16_t> halves(values.size());
  SIDA_TRY(read(info, std::as_writable_bytes(std::span(halves))));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = info.dtype == DType::kBFloat16 ? to_float(BFloat16{halves[i]}) : half_to_float(halves[i]);
  }
  return values;
}

}  // namespace sida::model
