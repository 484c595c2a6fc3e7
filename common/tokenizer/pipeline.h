// A tokeniser as the parts that its file describes. Both readers end here, so one encoder serves both kinds of file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/tokenizer/added_tokens.h"
#include "common/tokenizer/decoder.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/pre_tokenizer.h"
#include "common/tokenizer/tokenizer.h"
#include "common/tokenizer/unigram.h"

namespace sida::tokenizer {

// Tokens around the ids of the prompt.
struct PostProcessor {
  std::vector<std::int32_t> before;
  std::vector<std::int32_t> after;
};

struct Pipeline {
  Unigram model;
  std::vector<NormalizerStep> normalizer = {};
  std::vector<PreTokenizerStep> pre_tokenizer = {};
  std::vector<AddedToken> added_tokens = {};
  PostProcessor post_processor = {};
  // Without a decoder, tokens are joined by spaces.
  std::optional<std::vector<DecoderStep>> decoder = {};
};

// kInvalidModel where the added tokens do not fit the model, the post-processor's ids do not exist, or the steps could
// grow a text a thousandfold.
Result<std::unique_ptr<Tokenizer>> make_tokenizer(Pipeline pipeline);

}  // namespace sida::tokenizer
