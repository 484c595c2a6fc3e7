#include "predictor/hash/table_file.h"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <new>

#include "common/model/safetensors_reader.h"

namespace sida::predictor {
namespace {

constexpr std::uint64_t kFileBytesMax = 1ULL << 30U;
constexpr std::size_t kHashedPiece = 1U << 20U;

static_assert(std::endian::native == std::endian::little);  // As safetensors files are.

}  // namespace

Result<TableFile> TableFile::open(const std::filesystem::path& path) {
  auto file = model::ReadOnlyFile::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  if (file->size() > kFileBytesMax) return fail(ErrorCode::kInvalidModel, path.string() + ": larger than 1 GiB");
  auto listed = model::read_safetensors(*file);
  if (!listed) return fail_at(path.string(), std::move(listed).error());
  std::map<std::string, model::StoredTensor> tensors;
  for (model::StoredTensor& tensor : *listed) tensors.emplace(tensor.name, std::move(tensor));
  return TableFile(path.string(), std::move(*file), std::move(tensors));
}

tl::unexpected<Error> TableFile::invalid(const std::string& tensor, const std::string& why) const {
  return fail(ErrorCode::kInvalidModel, path_ + ": tensor '" + tensor + "': " + why);
}

Result<const model::StoredTensor*> TableFile::find(const std::string& name, const TableShape& shape) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return invalid(name, "missing, but the model has this MoE layer");
  if (found->second.shape != std::vector<std::int64_t>{shape.vocab_size, shape.k}) {
    return invalid(name, "must be [" + std::to_string(shape.vocab_size) + ", " + std::to_string(shape.k) +
                             "], the model's vocabulary and predictor.json's k");
  }
  read_.insert(name);
  return &found->second;
}

Result<std::vector<std::uint16_t>> TableFile::read_words(const model::StoredTensor& tensor) const {
  try {
    std::vector<std::uint16_t> words(tensor.bytes / sizeof(std::uint16_t));
    auto done = file_.read(tensor.offset, std::as_writable_bytes(std::span(words)));
    if (!done) return fail_at(path_, std::move(done).error());
    return words;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kIo, path_ + ": not enough memory");
  }
}

Result<std::vector<std::int16_t>> TableFile::read_experts(const std::string& name, const TableShape& shape) {
  auto tensor = find(name, shape);
  if (!tensor) return tl::unexpected(std::move(tensor).error());
  if ((*tensor)->dtype != DType::kInt16) return invalid(name, "must be int16");
  auto words = read_words(**tensor);
  if (!words) return tl::unexpected(std::move(words).error());
  std::vector<std::int16_t> experts(words->size());
  std::transform(words->begin(), words->end(), experts.begin(),
                 [](std::uint16_t word) { return std::bit_cast<std::int16_t>(word); });
  for (const std::int16_t expert : experts) {
    if (expert < -1 || expert >= shape.num_experts) {
      return invalid(name, "expert " + std::to_string(expert) + ", but the model has " +
                               std::to_string(shape.num_experts) + " in a layer");
    }
  }
  return experts;
}

Result<std::vector<float>> TableFile::read_confidences(const std::string& name, const TableShape& shape) {
  auto tensor = find(name, shape);
  if (!tensor) return tl::unexpected(std::move(tensor).error());
  const auto dtype = (*tensor)->dtype;
  if (dtype != DType::kFloat16 && dtype != DType::kBFloat16) return invalid(name, "must be fp16 or bf16");
  auto words = read_words(**tensor);
  if (!words) return tl::unexpected(std::move(words).error());
  std::vector<float> confidences;
  confidences.reserve(words->size());
  for (const std::uint16_t word : *words) {
    const float confidence = dtype == DType::kFloat16 ? half_to_float(word) : to_float(BFloat16{word});
    if (!(confidence >= 0 && confidence <= 1)) return invalid(name, "a confidence outside [0, 1]");
    confidences.push_back(confidence);
  }
  return confidences;
}

Result<void> TableFile::check_all_read() const {
  for (const auto& [name, tensor] : tensors_) {
    if (!read_.contains(name)) return invalid(name, "not a MoE layer of the model");
  }
  return file_.check_size_unchanged();
}

Result<proto::Fingerprint> TableFile::fingerprint() const {
  crypto_generichash_state hash;
  crypto_generichash_init(&hash, nullptr, 0, std::tuple_size_v<proto::Fingerprint>);
  std::vector<std::byte> piece(kHashedPiece);
  for (std::uint64_t at = 0; at < file_.size(); at += piece.size()) {
    piece.resize(std::min<std::uint64_t>(kHashedPiece, file_.size() - at));
    if (auto done = file_.read(at, piece); !done) return fail_at(path_, std::move(done).error());
    crypto_generichash_update(&hash, reinterpret_cast<const unsigned char*>(piece.data()), piece.size());
  }
  proto::Fingerprint fingerprint{};
  crypto_generichash_final(&hash, fingerprint.data(), fingerprint.size());
  return fingerprint;
}

}  // namespace sida::predictor
