// Reads tokenizer.json, the format of the tokenizers package, as far as Unigram models use it. Each part of the file is
// honoured or refused by name, never ignored; `truncation` and `padding` alone are ignored, as transformers does.
#pragma once

#include <memory>
#include <string_view>

#include "common/base/result.h"
#include "common/tokenizer/tokenizer.h"

namespace sida::tokenizer {

// kInvalidModel for anything damaged or unsupported, with the part named.
Result<std::unique_ptr<Tokenizer>> read_tokenizer_json(std::string_view bytes);

}  // namespace sida::tokenizer
