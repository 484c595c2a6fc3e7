#include "common/tokenizer/tokenizer_json.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sida::tokenizer {
namespace {

using nlohmann::json;
using Ids = std::vector<std::int32_t>;

// A file of T5's shape: ids <pad> 0, </s> 1, <unk> 2, then pieces and one sentinel.
json t5_file() {
  return json::parse(R"({
    "version": "1.0", "truncation": {"max_length": 4}, "padding": null,
    "added_tokens": [
      {"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
      {"id": 8, "content": "<extra_id_0>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Strip", "strip_left": false, "strip_right": true},
      {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "pair": [], "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
    "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
    "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": false, "vocab": [
      ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁the", -1.5], ["▁", -3], ["cat", -2.5], ["s", -2.0], ["▁cat", -2.0],
      ["<extra_id_0>", 0.0]]}})");
}

Result<std::unique_ptr<Tokenizer>> read(const json& file) {
  return read_tokenizer_json(file.dump());
}

Ids encode(const json& file, std::string_view text) {
  const auto tokenizer = read(file);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? (*tokenizer)->encode(text, true) : Ids{};
}

// The error after `change` has damaged the file.
std::string problem(const std::function<void(json&)>& change) {
  json file = t5_file();
  change(file);
  const auto tokenizer = read(file);
  if (tokenizer) {
    return "";
  }
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kInvalidModel);
  return tokenizer.error().message;
}

TEST(TokenizerJson, EncodesAsTheFileSays) {
  EXPECT_EQ(encode(t5_file(), "the cats"), (Ids{3, 7, 6, 1}));
  EXPECT_EQ(encode(t5_file(), "the <extra_id_0>cats  "), (Ids{3, 8, 7, 6, 1}));
  EXPECT_EQ(encode(t5_file(), ""), (Ids{1}));
  EXPECT_EQ(encode(t5_file(), "the\xff"), (Ids{3, 2, 1}));
}

TEST(TokenizerJson, SpecialTokensAreOptionalOnBothSides) {
  const auto tokenizer = read(t5_file());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->encode("the", false), (Ids{3}));
  const Ids ids = {8, 3, 7, 6, 1, 99, -1};
  EXPECT_EQ((*tokenizer)->decode(ids, true), "the cats");
  EXPECT_EQ((*tokenizer)->decode(ids, false), "<extra_id_0> the cats</s>");
}

TEST(TokenizerJson, TellsItsTokens) {
  const auto tokenizer = read(t5_file());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->vocab_size(), 9);
  EXPECT_EQ((*tokenizer)->token(3), "▁the");
  EXPECT_EQ((*tokenizer)->token(9), "");
  EXPECT_EQ((*tokenizer)->token(-1), "");
}

TEST(TokenizerJson, PartsMayBeAbsent) {
  json file = t5_file();
  for (const char* part : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    file[part] = nullptr;
  }
  file.erase("added_tokens");
  EXPECT_EQ(encode(file, "catcat"), (Ids{5, 5}));
  const auto tokenizer = read(file);
  EXPECT_EQ((*tokenizer)->decode(Ids{5, 6}, true), "cat s");
}

TEST(TokenizerJson, UnderstandsTheMetaspaceOfOlderFiles) {
  json file = t5_file();
  file["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"str_rep", "▁"}, {"add_prefix_space", true}};
  EXPECT_EQ(encode(file, "the"), (Ids{3, 1}));
  file["pre_tokenizer"]["add_prefix_space"] = false;
  EXPECT_EQ(encode(file, "cat"), (Ids{5, 1}));
}

TEST(TokenizerJson, ReadsSequencesWithinSequences) {
  json file = t5_file();
  file["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Sequence"}, {"pretokenizers", {{{"type", "WhitespaceSplit"}}}}}, file["pre_tokenizer"]}}};
  EXPECT_EQ(encode(file, "the\ncat"), (Ids{3, 7, 1}));
}

TEST(TokenizerJson, NamesWhatItDoesNotSupport) {
  EXPECT_EQ(problem([](json& f) { f["model"]["type"] = "BPE"; }), "model: the type 'BPE' is not supported, Unigram is");
  EXPECT_EQ(problem([](json& f) {
              f["normalizer"] = {{"type", "NFKC"}};
            }),
            "normalizer: the normaliser 'NFKC' is not supported");
  EXPECT_EQ(problem([](json& f) { f["normalizer"]["normalizers"][1]["pattern"]["Regex"] = "a|b"; }),
            "normalizer[1]: the regular expression 'a|b' is not supported; a character and a count, as ' {2,}', is");
  EXPECT_EQ(problem([](json& f) { f["pre_tokenizer"]["type"] = "ByteLevel"; }),
            "pre_tokenizer: the pre-tokeniser 'ByteLevel' is not supported");
  EXPECT_EQ(problem([](json& f) { f["decoder"]["type"] = "WordPiece"; }),
            "decoder: the decoder 'WordPiece' is not supported");
  EXPECT_EQ(problem([](json& f) { f["post_processor"]["type"] = "BertProcessing"; }),
            "post_processor: the type 'BertProcessing' is not supported, TemplateProcessing is");
  EXPECT_EQ(problem([](json& f) { f["version"] = "2.0"; }), "the file: version '2.0' is not supported, 1.0 is");
}

TEST(TokenizerJson, NamesWhatIsDamaged) {
  EXPECT_EQ(problem([](json& f) { f.erase("model"); }), "the file: 'model' is missing");
  EXPECT_EQ(problem([](json& f) { f["model"]["vocab"][3] = "x"; }), "model: piece 3 is not [text, score]");
  EXPECT_EQ(problem([](json& f) { f["model"]["vocab"][3][1] = nullptr; }),
            "model: the score of piece 3 is not a number");
  EXPECT_EQ(problem([](json& f) { f["model"]["unk_id"] = 9; }),
            "model: unk_id 9 is not among the 9 pieces of the vocabulary");
  EXPECT_EQ(problem([](json& f) { f["added_tokens"][1]["id"] = 5; }),
            "added token '<extra_id_0>': has the id 5, but the vocabulary gives it 8");
  EXPECT_EQ(problem([](json& f) { f["post_processor"]["special_tokens"]["</s>"]["ids"] = {77}; }),
            "the post-processor adds id 77, which is no token");
  EXPECT_EQ(problem([](json& f) { f["post_processor"]["single"].erase(0); }),
            "post_processor: 'single' has no place for the sequence");
  EXPECT_EQ(problem([](json& f) { f["pre_tokenizer"]["replacement"] = "ab"; }),
            "pre_tokenizer: 'replacement' is not one character");
  EXPECT_EQ(problem([](json& f) {
              f["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", "a*b"}};
            }),
            "normalizer: 'precompiled_charsmap' is not base64");
}

TEST(TokenizerJson, RefusesANormaliserThatExplodes) {
  const json grow = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(200, 'a')}};
  EXPECT_NE(problem([&](json& f) { f["normalizer"] = {{"type", "Sequence"}, {"normalizers", {grow, grow}}}; }), "");
}

// Alternating replacements cut words apart that the step before has put together: a Fibonacci number of words.
TEST(TokenizerJson, RefusesAPreTokenizerThatExplodes) {
  json steps = json::array();
  for (int i = 0; i < 60; ++i) {
    steps.push_back({{"type", "Metaspace"}, {"replacement", i % 2 == 0 ? "A" : "B"}});
  }
  EXPECT_NE(problem([&](json& f) { f["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", steps}}; }), "");
}

TEST(TokenizerJson, RefusesToPutALongTextBeforeEveryPieceOfThePrompt) {
  const json prepend = {{"type", "Prepend"}, {"prepend", std::string(200, 'a')}};
  EXPECT_NE(problem([&](json& f) {
              f["normalizer"] = {{"type", "Sequence"}, {"normalizers", {prepend, prepend}}};
            }),
            "");
}

// With anything quadratic in it, this would take hours.
TEST(TokenizerJson, EncodesMegabytesInOneGo) {
  const auto tokenizer = read(t5_file());
  ASSERT_TRUE(tokenizer);
  constexpr std::size_t kSize = std::size_t{4} << 20;
  EXPECT_EQ((*tokenizer)->encode(std::string(kSize, 's'), false).size(), kSize + 1);
  EXPECT_EQ((*tokenizer)->encode(std::string(kSize, ' '), false).size(), 0U);
  EXPECT_EQ((*tokenizer)->encode(std::string(kSize, 'x'), false).size(), 2U);
  EXPECT_EQ((*tokenizer)->encode(std::string(kSize, '<'), false).size(), 2U);
}

}  // namespace
}  // namespace sida::tokenizer
