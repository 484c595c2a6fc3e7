#include "predictor/hash/predictor_directory.h"

#include <nlohmann/json.hpp>

#include "common/model/read_only_file.h"
#include "predictor/hash/learned_hash.h"
#include "predictor/hash/recorded_routes.h"
#include "predictor/hash/token_id_table.h"

namespace sida::predictor {
namespace {

using nlohmann::json;

constexpr std::uint64_t kCardBytesMax = 1U << 20U;

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

// What to run for a predictor of this model.
std::string training_commands(const ServedModel& model) {
  const std::string at = model.directory == nullptr ? "MODEL" : model.directory->path().string();
  return "sida trace --model " + at + " --file TEXT --out TRACE && sida train --model " + at +
         " --trace TRACE --out DIR (docs/predictor.md)";
}

Result<std::unique_ptr<HashFunction>> open_learned(const std::filesystem::path& directory, const PredictorCard& card,
                                                   const ServedModel& model) {
  const std::filesystem::path path = directory / "predictor.json";
  if (!card.fingerprint) return invalid(path, "'model.fingerprint' is missing");
  SIDA_CHECK(model.directory != nullptr);
  const json network = json::parse(card.network, nullptr, /*allow_exceptions=*/false);
  auto shape = parse_network_shape(network, model_shape(model));
  if (!shape) return fail_at(path.string(), std::move(shape).error());
  auto opened = LearnedHash::open(directory / card.file, *shape, card.k, model);
  if (!opened) return tl::unexpected(std::move(opened).error());
  if (card.blake2b && *card.blake2b != model::to_hex((*opened)->info().predictor)) {
    return invalid(directory / card.file,
                   "is not the file that predictor.json tells of: damaged, or of another training; "
                   "copy the directory again, or train with: " +
                       training_commands(model));
  }
  return std::move(*opened);
}

Result<std::unique_ptr<HashFunction>> open_predefined(const std::filesystem::path& card, const ServedModel& model) {
  if (model.directory == nullptr || !model.directory->config().hash_routing) {
    return fail(ErrorCode::kMismatch,
                card.string() + ": for models with hash routing, which this one has not: " + training_commands(model));
  }
  auto table = TokenIdTable::predefined(*model.directory);
  if (!table) return tl::unexpected(std::move(table).error());
  return std::make_unique<TokenIdTable>(std::move(*table));
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
  card.file = card.kind == kTableKind      ? "table.safetensors"
              : card.kind == kRecordedKind ? "routes.trace"
                                           : "weights.safetensors";
  if (root.contains("file")) {
    const auto* file = find<json::string_t>(root, "file");
    if (file == nullptr || !is_plain_file_name(*file))
      return invalid(path, "'file' must be the name of a file beside it");
    card.file = *file;
  }
  if (root.contains("file_blake2b")) {
    const auto* hash = find<json::string_t>(root, "file_blake2b");
    if (hash == nullptr) return invalid(path, "'file_blake2b' is not a text");
    card.blake2b = *hash;
  }
  if (root.contains("network")) card.network = root["network"].dump();
  const auto made_for = root.find("model");
  if (made_for != root.end() && made_for->is_object() && made_for->contains("fingerprint")) {
    const auto* fingerprint = find<json::string_t>(*made_for, "fingerprint");
    if (fingerprint == nullptr) return invalid(path, "'model.fingerprint' is not a text");
    card.fingerprint = *fingerprint;
  }
  return card;
}

ServedModel served_model(const model::ModelDirectory& model) {
  return {model.geometry(), model.config().vocab_size, model.config().num_experts, model.fingerprint(), &model};
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
    return fail(ErrorCode::kMismatch,
                path.string() + ": made for model " + card->fingerprint->substr(0, 12) + ", but the model is " +
                    model::to_hex(model.fingerprint).substr(0, 12) +
                    ": give --model and --predictor directories that belong together, or train one: " +
                    training_commands(model));
  }
  if (card->kind == kLearnedKind) return open_learned(directory, *card, model);
  if (card->kind == kPredefinedKind) return open_predefined(path, model);
  if (card->kind == kRecordedKind) return open_recorded_routes(directory / card->file, model);
  if (card->kind != kTableKind) {
    return invalid(path, "unknown kind '" + card->kind + "'; this version knows " + kTableKind + ", " + kLearnedKind +
                             ", " + kPredefinedKind + " and " + kRecordedKind);
  }
  auto table = TokenIdTable::open(directory / card->file, card->k, model);
  if (!table) return tl::unexpected(std::move(table).error());
  return std::make_unique<TokenIdTable>(std::move(*table));
}

}  // namespace sida::predictor
