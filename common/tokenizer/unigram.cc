#include "common/tokenizer/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {
namespace {

// kUnkPenalty of SentencePiece's unigram_model.cc.
constexpr double kUnknownPenalty = 10.0;
constexpr std::size_t kByteValues = 256;

PrefixTrie trie_of(const std::vector<Piece>& pieces) {
  std::vector<std::pair<std::string_view, std::int32_t>> entries;
  entries.reserve(pieces.size());
  for (const Piece& piece : pieces) {
    entries.emplace_back(piece.text, static_cast<std::int32_t>(entries.size()));
  }
  return PrefixTrie(std::move(entries));
}

std::string byte_token(std::size_t byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte / 16], kDigits[byte % 16], '>'};
}

}  // namespace

// The best path that ends at a byte of the word.
struct Unigram::Node {
  double score = 0;
  std::uint32_t length = 0;  // Bytes of its last piece; 0 where no path ends.
  std::int32_t id = 0;
};

Result<Unigram> Unigram::make(std::vector<Piece> pieces, std::int64_t unknown_id, bool byte_fallback) {
  if (unknown_id < 0 || unknown_id >= static_cast<std::int64_t>(pieces.size())) {
    return fail(ErrorCode::kInvalidModel, "unk_id " + std::to_string(unknown_id) + " is not among the " +
                                              std::to_string(pieces.size()) + " pieces of the vocabulary");
  }
  std::size_t total = 0;
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    const Piece& piece = pieces[id];
    total += piece.text.size();
    if (piece.text.size() > kPieceBytesMax || total > kVocabularyBytesMax) {
      return fail(ErrorCode::kInvalidModel, "piece " + std::to_string(id) + ": too long, or the vocabulary is");
    }
    if (!is_valid_utf8(piece.text) || !std::isfinite(piece.score)) {
      return fail(ErrorCode::kInvalidModel, "piece " + std::to_string(id) + ": not UTF-8, or its score is not finite");
    }
  }
  return Unigram(std::move(pieces), static_cast<std::int32_t>(unknown_id), byte_fallback);
}

Unigram::Unigram(std::vector<Piece> pieces, std::int32_t unknown_id, bool byte_fallback)
    : pieces_(std::move(pieces)), trie_(trie_of(pieces_)), unknown_id_(unknown_id) {
  double lowest = std::numeric_limits<double>::infinity();
  ids_.reserve(pieces_.size());
  for (std::size_t id = 0; id < pieces_.size(); ++id) {
    lowest = std::min(lowest, pieces_[id].score);
    ids_.insert_or_assign(pieces_[id].text, static_cast<std::int32_t>(id));
  }
  unknown_score_ = lowest - kUnknownPenalty;
  for (std::size_t byte = 0; byte_fallback && byte < kByteValues; ++byte) {
    byte_ids_.push_back(find(byte_token(byte)).value_or(-1));
  }
}

std::optional<std::int32_t> Unigram::find(std::string_view piece) const {
  const auto found = ids_.find(piece);
  return found != ids_.end() ? std::optional(found->second) : std::nullopt;
}

std::vector<Unigram::Node> Unigram::best_paths(std::string_view word) const {
  std::vector<Node> nodes(word.size() + 1);
  const auto extend = [&](std::size_t begin, std::size_t length, double piece_score, std::int32_t id) {
    const double score = piece_score + nodes[begin].score;
    Node& end = nodes[begin + length];
    if (end.length == 0 || score > end.score) {
      end = {score, static_cast<std::uint32_t>(length), id};
    }
  };
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t first_size = code_point_at(word, begin).size;
    bool known = false;
    trie_.match(word, begin, [&](std::size_t length, std::int32_t id) {
      extend(begin, length, pieces_[static_cast<std::size_t>(id)].score, id);
      known = known || length == first_size;
    });
    if (!known) {
      extend(begin, first_size, unknown_score_, unknown_id_);
    }
    begin += first_size;
  }
  return nodes;
}

void Unigram::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::vector<Node> nodes = best_paths(word);
  std::vector<std::size_t> ends;
  for (std::size_t end = word.size(); end > 0; end -= nodes[end].length) {
    ends.push_back(end);
  }
  std::size_t unknown_begin = 0;
  std::size_t begin = 0;
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
    if (nodes[*end].id != unknown_id_) {
      append_unknown(word.substr(unknown_begin, begin - unknown_begin), ids);
      ids.push_back(nodes[*end].id);
      unknown_begin = *end;
    }
    begin = *end;
  }
  append_unknown(word.substr(unknown_begin), ids);
}

void Unigram::append_unknown(std::string_view text, std::vector<std::int32_t>& ids) const {
  if (text.empty()) {
    return;
  }
  // Unknown neighbours may add up to a piece, and the piece of the unknown token itself may stand in the text.
  if (const auto id = find(text)) {
    ids.push_back(*id);
    return;
  }
  const auto byte_id = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
  if (!byte_ids_.empty() && std::none_of(text.begin(), text.end(), [&](char c) { return byte_id(c) < 0; })) {
    std::transform(text.begin(), text.end(), std::back_inserter(ids), byte_id);
    return;
  }
  ids.push_back(unknown_id_);
}

}  // namespace sida::tokenizer
