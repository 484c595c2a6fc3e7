#include "predictor/hash/predictor_directory.h"

#include <nlohmann/json.hpp>

#include "common/model/read_only_file.h"
#include "predictor/hash/token_id_table.h"

namespace sida::predictor {
namespace {

using nlohmann::json;

constexpr std::uint64_t kCardBytesMax = 1U << 20U;
constexpr const char* kTableKind = "token_id_table";

tl::unexpected<Error> invalid(const std::filesystem::path& file, const std::string& why) {
  return fail(ErrorCode::kInvalidModel, file.string() + ": " + why);
}

// nullptr unless the value is there and of the type.
template <typename T>
const T* find(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const T*>();
}

bool is_plain_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

}  // namespace

Result<PredictorCard> parse_predictor_card(const std::string& text, const std::filesystem::path& path) {
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded()) return invalid(path, "not valid JSON");
  if (!root.is_object()) return invalid(path, "not a JSON object");
  PredictorCard card;
  const auto* kind = find<json::string_t>(root, "kind");
  if (kind == nullptr) return invalid(path, "'kind' is missing or not a text");
  card.kind = *kind;
  const auto* k = find<json::number_unsigned_t>(root, "k");
  if (k == nullptr || *k < 1 || *k > proto::kMaxExpertsPerToken) {
    return invalid(path, "'k' must be a number from 1 to " + std::to_string(proto::kMaxExpertsPerToken));
  }
  card.k = static_cast<std::int64_t>(*k);
  card.file = "table.safetensors";
  if (root.contains("file")) {
    const auto* file = find<json::string_t>(root, "file");
    if (file == nullptr || !is_plain_file_name(*file))
      return invalid(path, "'file' must be the name of a file beside it");
    card.file = *file;
  }
  const auto made_for = root.find("model");
  if (made_for != root.end() && made_for->is_object() && made_for->contains("fingerprint")) {
    const auto* fingerprint = find<json::string_t>(*made_for, "fingerprint");
    if (fingerprint == nullptr) return invalid(path, "'model.fingerprint' is not a text");
    card.fingerprint = *fingerprint;
  }
  return card;
}

ServedModel served_model(const model::ModelDirectory& model) {
  return {model.geometry(), model.config().vocab_size, model.config().num_experts, model.fingerprint()};
}

Result<PredictorCard> read_predictor_card(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "predictor.json";
  auto text = model::read_text_file(path, kCardBytesMax);
  if (!text) return tl::unexpected(std::move(text).error());
  return parse_predictor_card(*text, path);
}

Result<std::unique_ptr<HashFunction>> open_hash_function(const std::filesystem::path& directory,
                                                         const ServedModel& model) {
  auto card = read_predictor_card(directory);
  if (!card) return tl::unexpected(std::move(card).error());
  const std::filesystem::path path = directory / "predictor.json";
  if (card->fingerprint && *card->fingerprint != model::to_hex(model.fingerprint)) {
    return fail(ErrorCode::kMismatch, path.string() + ": made for model " + card->fingerprint->substr(0, 12) +
                                          ", but the model is " + model::to_hex(model.fingerprint).substr(0, 12) +
                                          ": give --model and --predictor directories that belong together");
  }
  if (card->kind != kTableKind) {
    return invalid(path, "unknown kind '" + card->kind + "'; this version knows " + kTableKind);
  }
  auto table = TokenIdTable::open(directory / card->file, card->k, model);
  if (!table) return tl::unexpected(std::move(table).error());
  return std::make_unique<TokenIdTable>(std::move(*table));
}

}  // namespace sida::predictor
