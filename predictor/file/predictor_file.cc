#include "predictor/file/predictor_file.h"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <new>

#include "common/model/safetensors_reader.h"

namespace sida::predictor {
namespace {

constexpr std::uint64_t kFileBytesMax = 1ULL << 30U;
constexpr std::size_t kHashedPiece = 1U << 20U;

static_assert(std::endian::native == std::endian::little);  // As safetensors files are.

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

std::string text_of(const std::vector<DType>& dtypes) {
  std::string text;
  for (const DType dtype : dtypes) text += (text.empty() ? "" : " or ") + std::string(name(dtype));
  return text;
}

}  // namespace

Result<PredictorFile> PredictorFile::open(const std::filesystem::path& path) {
  auto file = model::ReadOnlyFile::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  if (file->size() > kFileBytesMax) return fail(ErrorCode::kInvalidModel, path.string() + ": larger than 1 GiB");
  auto listed = model::read_safetensors(*file);
  if (!listed) return fail_at(path.string(), std::move(listed).error());
  std::map<std::string, model::StoredTensor> tensors;
  for (model::StoredTensor& tensor : *listed) tensors.emplace(tensor.name, std::move(tensor));
  return PredictorFile(path.string(), std::move(*file), std::move(tensors));
}

tl::unexpected<Error> PredictorFile::invalid(const std::string& tensor, const std::string& why) const {
  return fail(ErrorCode::kInvalidModel, path_ + ": tensor '" + tensor + "': " + why);
}

Result<StoredValues> PredictorFile::read(const std::string& name, const std::vector<std::int64_t>& shape,
                                         const std::vector<DType>& dtypes) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return invalid(name, "missing");
  const model::StoredTensor& tensor = found->second;
  if (tensor.shape != shape) {
    return invalid(name, "must be " + text_of(shape) + ", as model and predictor.json say");
  }
  if (!tensor.dtype || std::find(dtypes.begin(), dtypes.end(), *tensor.dtype) == dtypes.end()) {
    return invalid(name, "must be " + text_of(dtypes));
  }
  read_.insert(name);
  try {
    StoredValues values{*tensor.dtype, std::vector<std::byte>(tensor.bytes)};
    auto done = file_.read(tensor.offset, values.bytes);
    if (!done) return fail_at(path_, std::move(done).error());
    return values;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kIo, path_ + ": not enough memory");
  }
}

Result<std::vector<float>> PredictorFile::read_weights(const std::string& name,
                                                       const std::vector<std::int64_t>& shape) {
  auto stored = read(name, shape, {DType::kFloat32, DType::kBFloat16});
  if (!stored) return tl::unexpected(std::move(stored).error());
  std::vector<float> weights(stored->bytes.size() / bytes_per_element(stored->dtype));
  if (stored->dtype == DType::kFloat32) {
    std::memcpy(weights.data(), stored->bytes.data(), stored->bytes.size());
  } else {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      BFloat16 narrow;
      std::memcpy(&narrow, stored->bytes.data() + i * sizeof narrow, sizeof narrow);
      weights[i] = to_float(narrow);
    }
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(weights.begin(), weights.end(), finite)) return invalid(name, "has a value that is not finite");
  return weights;
}

Result<void> PredictorFile::check_all_read() const {
  for (const auto& [name, tensor] : tensors_) {
    if (!read_.contains(name)) return invalid(name, "not of a predictor of this model");
  }
  return file_.check_size_unchanged();
}

Result<proto::Fingerprint> PredictorFile::fingerprint() const {
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
