#include "common/tokenizer/pipeline.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {
namespace {

// SentencePiece's own map reaches 33 times, and the steps around it 6 times that; a prompt's size is limited before it
// gets here.
constexpr double kGrowthMax = 1024;

class PipelineTokenizer final : public Tokenizer {
 public:
  PipelineTokenizer(Pipeline pipeline, AddedTokens added_tokens)
      : pipeline_(std::move(pipeline)), added_tokens_(std::move(added_tokens)) {
    vocab_size_ = static_cast<std::int32_t>(pipeline_.model.pieces().size());
    for (const AddedToken& token : added_tokens_.all()) {
      vocab_size_ = std::max(vocab_size_, token.id + 1);
    }
  }

  std::vector<std::int32_t> encode(std::string_view text, bool add_special_tokens) const override {
    std::vector<std::int32_t> ids;
    const auto add = [&](const std::vector<std::int32_t>& more) {
      if (add_special_tokens) {
        ids.insert(ids.end(), more.begin(), more.end());
      }
    };
    add(pipeline_.post_processor.before);
    const NormalizedText prompt = NormalizedText::whole(decode_with_replacement(text));
    for (const Stretch& stretch : added_tokens_.split(prompt.bytes, false)) {
      if (stretch.id) {
        ids.push_back(*stretch.id);
      } else {
        encode_plain(prompt.slice(stretch.begin, stretch.end), ids);
      }
    }
    add(pipeline_.post_processor.after);
    return ids;
  }

  std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const override {
    std::vector<std::string> tokens;
    for (const std::int32_t id : ids) {
      const std::string* content = find(id);
      if (content != nullptr && !(skip_special_tokens && added_tokens_.is_special(*content))) {
        tokens.push_back(*content);
      }
    }
    if (pipeline_.decoder) {
      return decode_tokens(*pipeline_.decoder, std::move(tokens));
    }
    std::string text;
    for (const std::string& token : tokens) {
      text.append(&token == tokens.data() ? "" : " ").append(token);
    }
    return text;
  }

  std::int32_t vocab_size() const override { return vocab_size_; }

  std::string token(std::int32_t id) const override {
    const std::string* content = find(id);
    return content != nullptr ? *content : std::string();
  }

 private:
  // A stretch of the prompt without tokens that are cut out before it is normalised.
  void encode_plain(NormalizedText text, std::vector<std::int32_t>& ids) const {
    normalize(pipeline_.normalizer, text);
    for (const Stretch& stretch : added_tokens_.split(text.bytes, true)) {
      if (stretch.id) {
        ids.push_back(*stretch.id);
        continue;
      }
      for (const NormalizedText& word : pre_tokenize(pipeline_.pre_tokenizer, text.slice(stretch.begin, stretch.end))) {
        pipeline_.model.encode(word.bytes, ids);
      }
    }
  }

  const std::string* find(std::int32_t id) const {
    if (const AddedToken* added = added_tokens_.find(id)) {
      return &added->content;
    }
    const auto& pieces = pipeline_.model.pieces();
    const auto place = static_cast<std::size_t>(id);
    return id >= 0 && place < pieces.size() ? &pieces[place].text : nullptr;
  }

  Pipeline pipeline_;
  AddedTokens added_tokens_;
  std::int32_t vocab_size_ = 0;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_tokenizer(Pipeline pipeline) {
  if (growth(pipeline.normalizer) * growth(pipeline.pre_tokenizer) > kGrowthMax ||
      (pipeline.decoder && growth(*pipeline.decoder) > kGrowthMax)) {
    return fail(ErrorCode::kInvalidModel,
                "the normaliser and pre-tokeniser, or the decoder, could grow a text more than a thousandfold");
  }
  auto added_tokens = AddedTokens::make(std::move(pipeline.added_tokens), pipeline.model, pipeline.normalizer);
  SIDA_TRY(added_tokens);
  const PostProcessor post_processor = pipeline.post_processor;
  auto tokenizer = std::make_unique<PipelineTokenizer>(std::move(pipeline), *std::move(added_tokens));
  for (const auto* ids : {&post_processor.before, &post_processor.after}) {
    for (const std::int32_t id : *ids) {
      if (tokenizer->token(id).empty()) {
        return fail(ErrorCode::kInvalidModel,
                    "the post-processor adds id " + std::to_string(id) + ", which is no token");
      }
    }
  }
  return tokenizer;
}

}  // namespace sida::tokenizer
