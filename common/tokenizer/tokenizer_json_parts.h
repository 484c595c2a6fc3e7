// The readers of the single parts of tokenizer.json. All errors are kInvalidModel and name the part.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tokenizer/decoder.h"
#include "common/tokenizer/json_value.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/pipeline.h"
#include "common/tokenizer/pre_tokenizer.h"
#include "common/tokenizer/unigram.h"

namespace sida::tokenizer {

// Strings that a step puts into a text may not be longer, and a part may not have more steps: together with the growth
// that make_tokenizer allows, a file cannot make encoding explode.
inline constexpr std::size_t kStepStringBytesMax = 256;
inline constexpr std::size_t kStepsMax = 64;

Result<Unigram> read_unigram(const JsonObject& model);
Result<std::vector<NormalizerStep>> read_normalizer(const JsonObject& normalizer);
Result<std::vector<PreTokenizerStep>> read_pre_tokenizer(const JsonObject& pre_tokenizer);
Result<PostProcessor> read_post_processor(const JsonObject& post_processor);
Result<std::vector<DecoderStep>> read_decoder(const JsonObject& decoder);
Result<std::vector<AddedToken>> read_added_tokens(const JsonObject& file);

// What Metaspace says as pre-tokeniser and as decoder.
Result<MetaspaceStep> read_metaspace(const JsonObject& object);

// A string of limited length, not empty unless allowed.
Result<std::string> read_step_string(const JsonObject& object, std::string_view name, bool may_be_empty);

}  // namespace sida::tokenizer
