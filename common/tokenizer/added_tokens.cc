#include "common/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {
namespace {

PrefixTrie trie_of(const std::vector<AddedToken>& tokens, const std::vector<std::string>& contents, bool normalized) {
  std::vector<std::pair<std::string_view, std::int32_t>> entries;
  for (std::size_t i = tokens.size(); i-- > 0;) {  // Of equal contents the first token counts.
    if (tokens[i].normalized == normalized) {
      entries.emplace_back(contents[i], static_cast<std::int32_t>(i));
    }
  }
  return PrefixTrie(std::move(entries));
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin == 0 || !is_word_character(code_point_before(text, begin).value)) &&
         (end == text.size() || !is_word_character(code_point_at(text, end).value));
}

std::size_t left_of_whitespace(std::string_view text, std::size_t begin, std::size_t floor) {
  while (begin > floor) {
    const CodePoint c = code_point_before(text, begin);
    if (!is_whitespace(c.value)) {
      break;
    }
    begin -= c.size;
  }
  return std::max(begin, floor);
}

// Remembers the last run of white space: tokens that are white space themselves ask about each place within it.
class RightOfWhitespace {
 public:
  explicit RightOfWhitespace(std::string_view text) : text_(text) {}

  // `position` is a boundary behind the text's first code point.
  std::size_t operator()(std::size_t position) {
    if (position >= begin_ && position <= end_) {
      return end_;
    }
    begin_ = end_ = position;
    while (end_ < text_.size()) {
      const CodePoint c = code_point_at(text_, end_);
      if (!is_whitespace(c.value)) {
        break;
      }
      end_ += c.size;
    }
    return end_;
  }

 private:
  std::string_view text_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace

Result<AddedTokens> AddedTokens::make(std::vector<AddedToken> tokens, const Unigram& model,
                                      const std::vector<NormalizerStep>& normalizer) {
  std::vector<std::string> contents;
  std::unordered_map<std::string_view, bool> seen;
  auto next_id = static_cast<std::int32_t>(model.pieces().size());
  std::size_t total = 0;
  for (AddedToken& token : tokens) {
    const auto error = [&](const std::string& what) {
      return fail(ErrorCode::kInvalidModel, "added token '" + token.content.substr(0, 64) + "': " + what);
    };
    if (token.content.empty() || token.content.size() > kContentBytesMax || !is_valid_utf8(token.content)) {
      return error("empty, too long, or not UTF-8");
    }
    if (!seen.emplace(token.content, true).second) {
      return error("occurs twice");
    }
    const auto piece_id = model.find(token.content);
    const std::int32_t id = piece_id ? *piece_id : next_id++;
    if (token.id >= 0 && token.id != id) {
      return error("has the id " + std::to_string(token.id) + ", but the vocabulary gives it " + std::to_string(id));
    }
    token.id = id;
    NormalizedText content{token.content, false, 0};
    if (token.normalized) {
      normalize(normalizer, content);
    }
    if (content.bytes.empty()) {
      return error("nothing of it is left when it is normalised");
    }
    total += content.bytes.size();
    if (total > kContentsBytesMax) {
      return error("all added tokens together are longer than " + std::to_string(kContentsBytesMax) + " bytes");
    }
    contents.push_back(std::move(content.bytes));
  }
  return AddedTokens(std::move(tokens), contents);
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& normalized_contents)
    : tokens_(std::move(tokens)),
      plain_(trie_of(tokens_, normalized_contents, false)),
      normalized_(trie_of(tokens_, normalized_contents, true)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    by_id_[tokens_[i].id] = i;
    by_content_[tokens_[i].content] = i;
  }
}

std::vector<Stretch> AddedTokens::split(std::string_view text, bool normalized) const {
  const PrefixTrie& trie = normalized ? normalized_ : plain_;
  std::vector<Stretch> stretches;
  RightOfWhitespace right_of_whitespace(text);
  std::size_t covered = 0;
  for (std::size_t position = 0; position < text.size() && !trie.empty();) {
    std::size_t length = 0;
    std::int32_t place = 0;
    trie.match(text, position, [&](std::size_t matched, std::int32_t value) {
      length = matched;
      place = value;
    });
    if (length == 0) {
      ++position;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(place)];
    std::size_t begin = position;
    std::size_t end = position + length;
    position = end;  // Also behind a match that turns out not to count.
    if (token.single_word && !stands_alone(text, begin, end)) {
      continue;
    }
    begin = token.left_strip ? left_of_whitespace(text, begin, covered) : begin;
    end = token.right_strip ? right_of_whitespace(end) : std::max(begin, end);
    if (covered < begin) {
      stretches.push_back({covered, begin, std::nullopt});
    }
    stretches.push_back({begin, end, token.id});
    covered = end;
  }
  if (covered < text.size()) {
    stretches.push_back({covered, text.size(), std::nullopt});
  }
  return stretches;
}

const AddedToken* AddedTokens::find(std::int32_t id) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() ? &tokens_[found->second] : nullptr;
}

std::optional<std::int32_t> AddedTokens::find(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  return found != by_content_.end() ? std::optional(tokens_[found->second].id) : std::nullopt;
}

bool AddedTokens::is_special(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  return found != by_content_.end() && tokens_[found->second].special;
}

}  // namespace sida::tokenizer
