// Reads spiece.model, SentencePiece's own file, as transformers 4.57 converts it for T5 (T5Converter): the pieces, 100
// sentinels behind them in reverse order, and a pipeline that the file's own normaliser settings do not influence,
// apart from its character map.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/tokenizer/tokenizer.h"
#include "common/tokenizer/unigram.h"

namespace sida::tokenizer {

// What of the file is used.
struct SpieceModel {
  std::vector<Piece> pieces;
  std::vector<bool> is_control;       // Per piece: a control symbol, which becomes a special token.
  std::vector<bool> is_user_defined;  // Per piece: never split, but not special.
  std::int64_t model_type = 1;        // 1 is Unigram.
  std::int64_t unknown_id = 0;
  std::string_view charsmap;  // Empty where the file has none; points into the file's bytes.
};

// kInvalidModel where the bytes are no such file.
Result<SpieceModel> parse_spiece_model(std::string_view bytes);

// kInvalidModel for anything damaged, for another model type, and where `</s>` is no piece.
Result<std::unique_ptr<Tokenizer>> read_spiece_model(std::string_view bytes);

}  // namespace sida::tokenizer
