#include "common/tokenizer/spiece_model.h"

#include <bit>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/tokenizer/pipeline.h"
#include "common/tokenizer/wire_reader.h"

namespace sida::tokenizer {
namespace {

// Numbers of SentencePiece's sentencepiece_model.proto.
namespace model_proto {
constexpr std::uint32_t kPieces = 1, kTrainerSpec = 2, kNormalizerSpec = 3;
constexpr std::uint32_t kPieceText = 1, kPieceScore = 2, kPieceType = 3;
constexpr std::uint64_t kControl = 3, kUserDefined = 4;
constexpr std::uint32_t kModelType = 3, kUnkId = 40;
constexpr std::uint32_t kPrecompiledCharsmap = 2;
}  // namespace model_proto

constexpr std::size_t kPiecesMax = std::size_t{1} << 20;
constexpr int kSentinelCount = 100;

// Calls handle(field) for each field, and names the message in errors.
template <typename Handle>
Result<void> for_each_field(std::string_view message, const std::string& place, Handle&& handle) {
  WireReader reader(message);
  while (!reader.at_end()) {
    auto field = reader.next();
    if (!field) {
      return fail_at(place, std::move(field).error());
    }
    SIDA_TRY(handle(*field));
  }
  return {};
}

bool is(const WireField& field, std::uint32_t number, WireField::Type type) {
  return field.number == number && field.type == type;
}

Result<void> read_piece(std::string_view message, SpieceModel& model) {
  Piece piece;
  std::uint64_t type = 1;
  const std::string place = "piece " + std::to_string(model.pieces.size());
  if (model.pieces.size() >= kPiecesMax) {
    return fail(ErrorCode::kInvalidModel, place + ": more pieces than are supported");
  }
  SIDA_TRY(for_each_field(message, place, [&](const WireField& field) -> Result<void> {
    if (is(field, model_proto::kPieceText, WireField::Type::kBytes)) {
      piece.text = field.bytes;
    } else if (is(field, model_proto::kPieceScore, WireField::Type::kFixed32)) {
      piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.integer));
    } else if (is(field, model_proto::kPieceType, WireField::Type::kVarint)) {
      type = field.integer;
    }
    return {};
  }));
  model.pieces.push_back(std::move(piece));
  model.is_control.push_back(type == model_proto::kControl);
  model.is_user_defined.push_back(type == model_proto::kUserDefined);
  return {};
}

Result<void> read_trainer_spec(std::string_view message, SpieceModel& model) {
  return for_each_field(message, "trainer specification", [&](const WireField& field) -> Result<void> {
    if (is(field, model_proto::kModelType, WireField::Type::kVarint)) {
      model.model_type = static_cast<std::int32_t>(field.integer);
    } else if (is(field, model_proto::kUnkId, WireField::Type::kVarint)) {
      model.unknown_id = static_cast<std::int32_t>(field.integer);
    }
    return {};
  });
}

Result<void> read_normalizer_spec(std::string_view message, SpieceModel& model) {
  return for_each_field(message, "normaliser specification", [&](const WireField& field) -> Result<void> {
    if (is(field, model_proto::kPrecompiledCharsmap, WireField::Type::kBytes)) {
      model.charsmap = field.bytes;
    }
    return {};
  });
}

std::string sentinel(int number) {
  return "<extra_id_" + std::to_string(number) + ">";
}

// Control and user-defined symbols, then T5's own specials where they are not among them.
std::vector<AddedToken> added_tokens_of(const SpieceModel& model) {
  std::vector<AddedToken> tokens;
  std::unordered_map<std::string, std::size_t> places;  // A file may have a million user-defined symbols.
  const auto add = [&](const std::string& content, bool special) {
    if (content.empty()) {
      return;
    }
    const auto [found, is_new] = places.emplace(content, tokens.size());
    if (is_new) {
      tokens.push_back({.content = content, .id = -1, .special = special});
    } else {
      AddedToken& token = tokens[found->second];
      token.special = token.special || special;
    }
  };
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.is_control[id] || model.is_user_defined[id]) {
      add(model.pieces[id].text, model.is_control[id]);
    }
  }
  for (const char* content : {"</s>", "<unk>", "<pad>"}) {
    add(content, true);
  }
  for (int number = 0; number < kSentinelCount; ++number) {
    add(sentinel(number), true);
  }
  return tokens;
}

Result<std::vector<NormalizerStep>> normalizer_of(const SpieceModel& model) {
  std::vector<NormalizerStep> steps;
  if (!model.charsmap.empty()) {
    auto charsmap = Charsmap::read(model.charsmap);
    SIDA_TRY(charsmap);
    steps.emplace_back(std::make_shared<const Charsmap>(*std::move(charsmap)));
  }
  steps.emplace_back(StripStep{.left = false, .right = true});
  steps.emplace_back(ReplaceRunStep{.repeated = ' ', .minimum = 2, .content = MetaspaceStep{}.replacement});
  return steps;
}

}  // namespace

Result<SpieceModel> parse_spiece_model(std::string_view bytes) {
  SpieceModel model;
  SIDA_TRY(for_each_field(bytes, "the file", [&](const WireField& field) -> Result<void> {
    if (is(field, model_proto::kPieces, WireField::Type::kBytes)) {
      return read_piece(field.bytes, model);
    }
    if (is(field, model_proto::kTrainerSpec, WireField::Type::kBytes)) {
      return read_trainer_spec(field.bytes, model);
    }
    if (is(field, model_proto::kNormalizerSpec, WireField::Type::kBytes)) {
      return read_normalizer_spec(field.bytes, model);
    }
    return {};
  }));
  return model;
}

Result<std::unique_ptr<Tokenizer>> read_spiece_model(std::string_view bytes) {
  auto file = parse_spiece_model(bytes);
  SIDA_TRY(file);
  if (file->model_type != 1) {
    return fail(ErrorCode::kInvalidModel,
                "model type " + std::to_string(file->model_type) + " is not supported, 1 (Unigram) is");
  }
  auto normalizer = normalizer_of(*file);
  SIDA_TRY(normalizer);
  auto added_tokens = added_tokens_of(*file);
  for (int number = kSentinelCount - 1; number >= 0; --number) {
    file->pieces.push_back({sentinel(number), 0.0});
  }
  auto model = Unigram::make(std::move(file->pieces), file->unknown_id, false);
  SIDA_TRY(model);
  const auto end_id = model->find("</s>");
  if (!end_id) {
    return fail(ErrorCode::kInvalidModel, "has no piece </s>, the end token");
  }
  Pipeline pipeline{.model = *std::move(model)};
  pipeline.normalizer = *std::move(normalizer);
  pipeline.pre_tokenizer = {MetaspaceStep{}};
  pipeline.added_tokens = std::move(added_tokens);
  pipeline.post_processor.after = {*end_id};
  pipeline.decoder = std::vector<DecoderStep>{MetaspaceDecoderStep{}};
  return make_tokenizer(std::move(pipeline));
}

}  // namespace sida::tokenizer
