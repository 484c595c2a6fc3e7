// A predictor directory: predictor.json says what kind of hash function it holds, and the function's files lie beside
// it. All of it is untrusted input.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "predictor/hash/hash_function.h"

namespace sida::predictor {

// What a hash function must fit.
struct ServedModel {
  model::ModelGeometry geometry;
  std::int64_t vocab_size = 0;
  std::int64_t num_experts = 0;
  proto::Fingerprint fingerprint{};
  const model::ModelDirectory* directory = nullptr;  // Outlives the opening. Null: only tables can be opened.
};

ServedModel served_model(const model::ModelDirectory& model);

// predictor.json.
struct PredictorCard {
  std::string kind;
  std::int64_t k = 0;
  std::string file;                        // Beside predictor.json.
  std::optional<std::string> fingerprint;  // Of the model that it was made for, 64 hexadecimal digits.
  std::string network;                     // "network", as JSON text; empty: not there.
  std::optional<std::string> blake2b;      // Of the file, 64 hexadecimal digits: "file_blake2b".
};

// `text` of the file at `path`. Errors: kInvalidModel naming file and key.
Result<PredictorCard> parse_predictor_card(const std::string& text, const std::filesystem::path& path);

// kNotFound without the file; kInvalidModel, with the file and key named, when it is damaged.
Result<PredictorCard> read_predictor_card(const std::filesystem::path& directory);

// The kinds that predictor.json may name.
inline constexpr const char* kTableKind = "token_id_table";
inline constexpr const char* kLearnedKind = "learned";
inline constexpr const char* kPredefinedKind = "predefined";  // The tables of a model with hash routing.
inline constexpr const char* kRecordedKind = "recorded";      // A trace; knows the texts in it, for benchmarks.

// The hash function, whatever its kind. kNotFound, kInvalidModel (damaged, or an unknown kind), kMismatch (made for
// another model: the command that would train one), each with what to do. Reads the whole directory; blocks on disk.
Result<std::unique_ptr<HashFunction>> open_hash_function(const std::filesystem::path& directory,
                                                         const ServedModel& model);

}  // namespace sida::predictor
