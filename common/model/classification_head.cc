#include "common/model/classification_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "common/model/json_document.h"
#include "common/model/quote_name.h"
#include "common/model/read_only_file.h"

namespace sida::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "heads";
constexpr const char* kFingerprintKey = "sida_model_fingerprint";
constexpr std::size_t kHeadsMax = 64;
constexpr std::size_t kLabelsMax = 1U << 16U;
constexpr std::array<std::string_view, 2> kPrefixes{"classifier.", "classification_head."};

std::optional<std::size_t> parse_index(const std::string& text) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return index;
}

Result<std::vector<std::string>> parse_labels(const nlohmann::json& map) {
  const auto wrong = [](const std::string& what) { return fail(ErrorCode::kInvalidModel, "'id2label' " + what); };
  if (!map.is_object() || map.empty()) return wrong("is not a map from \"0\" on to labels");
  if (map.size() > kLabelsMax) return wrong("has more than " + std::to_string(kLabelsMax) + " labels");
  std::vector<std::string> labels(map.size());
  for (const auto& [key, value] : map.items()) {
    const auto index = parse_index(key);
    if (!index || *index >= labels.size() || !labels[*index].empty()) {
      return wrong("has the key " + quote_name(key) + ", not each of 0 to " + std::to_string(labels.size() - 1));
    }
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      return wrong("has no label for " + quote_name(key));
    }
    labels[*index] = value.get<std::string>();
  }
  return labels;
}

// The four tensors of one head's file.
class HeadReader {
 public:
  HeadReader(const WeightFiles& weights, std::int64_t width) : weights_(weights), width_(width) {
    prefix_ = weights_.find(std::string(kPrefixes[1]) + "dense.weight") == nullptr ? kPrefixes[0] : kPrefixes[1];
  }

  // `labels`: as told by config.json; 0: as the file has them.
  Result<void> read(std::int64_t labels, ClassificationHead& head) const {
    SIDA_TRY(read(tensor_name("dense.weight"), {width_, width_}, head.dense_weight));
    SIDA_TRY(read(tensor_name("dense.bias"), {width_}, head.dense_bias));
    const std::string out = tensor_name("out_proj.weight");
    if (const TensorInfo* info = weights_.find(out); info != nullptr && labels == 0 && info->shape.size() == 2) {
      labels = info->shape.front();
    }
    if (labels > static_cast<std::int64_t>(kLabelsMax)) return wrong(out, "has too many rows");
    SIDA_TRY(read(out, {labels, width_}, head.out_weight));
    return read(tensor_name("out_proj.bias"), {labels}, head.out_bias);
  }

 private:
  [[nodiscard]] std::string tensor_name(std::string_view name) const { return prefix_ + std::string(name); }

  [[nodiscard]] tl::unexpected<Error> wrong(const std::string& name, const std::string& what) const {
    return fail(ErrorCode::kInvalidModel,
                weights_.files().front().string() + ": tensor " + quote_name(name) + " " + what);
  }

  Result<void> read(const std::string& name, const std::vector<std::int64_t>& shape, std::vector<float>& out) const {
    const TensorInfo* info = weights_.find(name);
    if (info == nullptr) {
      const std::string_view dtype = weights_.unreadable_dtype(name);
      return wrong(name, dtype.empty() ? "is missing" : "has dtype " + quote_name(dtype) + ", not fp32, bf16 or fp16");
    }
    if (info->shape != shape || info->bytes == 0) {
      return wrong(name, "has another shape than the model's width and the labels ask for");
    }
    auto values = weights_.read_as_fp32(*info);
    if (!values) return tl::unexpected(std::move(values).error());
    out = *std::move(values);
    return {};
  }

  const WeightFiles& weights_;
  std::int64_t width_;
  std::string prefix_;
};

Result<HeadConfig> read_head_config(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return HeadConfig{};
  const auto text = read_text_file(file, kJsonDocumentBytesMax);
  if (!text) return tl::unexpected(text.error());
  auto config = parse_head_config(*text);
  if (!config) return fail_at(file.string(), std::move(config).error());
  return config;
}

Result<ClassificationHead> read_head(const ModelDirectory& model, const fs::path& folder) {
  auto config = read_head_config(folder / "config.json");
  if (!config) return tl::unexpected(std::move(config).error());
  if (!config->fingerprint.empty() && config->fingerprint != to_hex(model.fingerprint())) {
    return fail(ErrorCode::kInvalidModel, (folder / "config.json").string() +
                                              ": the head was trained on another model; train it on this one or remove "
                                              "its folder");
  }
  const auto weights = WeightFiles::open(folder);
  if (!weights) return tl::unexpected(weights.error());
  ClassificationHead head;
  head.name = folder.filename().string();
  head.labels = std::move(config->labels);
  SIDA_TRY(HeadReader(*weights, model.config().d_model).read(static_cast<std::int64_t>(head.labels.size()), head));
  for (std::size_t index = head.labels.size(); index < head.out_bias.size(); ++index) {
    head.labels.push_back("LABEL_" + std::to_string(index));  // As Hugging Face names them.
  }
  return head;
}

}  // namespace

Result<HeadConfig> parse_head_config(std::string_view json) {
  const auto document = parse_json_document(json);
  if (!document) return tl::unexpected(document.error());
  HeadConfig config;
  if (const auto found = document->find(kFingerprintKey); found != document->end()) {
    if (!found->is_string()) return fail(ErrorCode::kInvalidModel, quote_name(kFingerprintKey) + " is not a text");
    config.fingerprint = found->get<std::string>();
  }
  if (const auto found = document->find("id2label"); found != document->end()) {
    auto labels = parse_labels(*found);
    if (!labels) return tl::unexpected(std::move(labels).error());
    config.labels = *std::move(labels);
  }
  return config;
}

Result<std::vector<ClassificationHead>> read_classification_heads(const ModelDirectory& model) {
  const fs::path folder = model.path() / kFolder;
  std::error_code error;
  std::vector<fs::path> folders;
  if (!fs::is_directory(folder, error)) return std::vector<ClassificationHead>{};
  for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (entry->is_directory(error)) folders.push_back(entry->path());
  }
  if (error) return fail(ErrorCode::kIo, folder.string() + ": " + error.message());
  if (folders.size() > kHeadsMax) {
    return fail(ErrorCode::kInvalidModel, folder.string() + ": has more than " + std::to_string(kHeadsMax) + " heads");
  }
  std::ranges::sort(folders);
  std::vector<ClassificationHead> heads;
  for (const fs::path& one : folders) {
    auto head = read_head(model, one);
    if (!head) return tl::unexpected(std::move(head).error());
    heads.push_back(*std::move(head));
  }
  return heads;
}

}  // namespace sida::model
