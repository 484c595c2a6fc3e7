#include "common/tokenizer/charsmap.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/common/tokenizer/charsmap_builder.h"

namespace sida::tokenizer {
namespace {

using testing::charsmap_bytes;

std::string map_text(const std::string& map, const std::string& text) {
  const auto charsmap = Charsmap::read(map);
  EXPECT_TRUE(charsmap) << charsmap.error().message;
  auto normalized = NormalizedText::whole(text);
  if (charsmap) {
    charsmap->normalize(normalized);
  }
  return normalized.bytes;
}

TEST(Charsmap, ReplacesCodePoints) {
  const std::string map = charsmap_bytes({{"\u00bd", "1\u20442"}, {"\x01", ""}, {"\u3000", " "}});
  EXPECT_EQ(map_text(map,
                     "a\u00bdb\x01\x01"
                     "c\u3000"),
            "a1\u20442bc ");
}

TEST(Charsmap, ReplacesShortClustersAsAWhole) {
  const std::string map = charsmap_bytes({{"e\u0301", "\u00e9"}});
  EXPECT_EQ(map_text(map, "ee\u0301"), "e\u00e9");
  // Six bytes are mapped code point by code point, and no code point alone is a key.
  EXPECT_EQ(map_text(map, "e\u0301\u0301\u0301"), "e\u0301\u0301\u0301");
}

TEST(Charsmap, DropsWhatFollowsTheKeyInItsCluster) {
  const std::string map = charsmap_bytes({{"\u00bd", "1\u20442"}});
  EXPECT_EQ(map_text(map, "\u00bd\u0301x"), "1\u20442x");
}

TEST(Charsmap, LetsTheShortestKeyDecide) {
  const std::string map = charsmap_bytes({{"a", "1"}, {"a\u0301", "2"}});
  EXPECT_EQ(map_text(map, "a\u0301"), "1");
}

TEST(Charsmap, RefusesSizesThatDoNotFit) {
  std::string map = charsmap_bytes({{"a", "b"}});
  EXPECT_FALSE(Charsmap::read(""));
  EXPECT_FALSE(Charsmap::read(map.substr(0, 100)));
  EXPECT_FALSE(Charsmap::read(std::string(4, '\0')));
  map.replace(0, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(Charsmap::read(map));
}

TEST(Charsmap, RefusesValuesThatAreNoReplacement) {
  const std::string map = charsmap_bytes({{"a", "b"}});
  EXPECT_TRUE(Charsmap::read(map));
  std::string without_leaf = map;
  without_leaf.resize(map.size() - 2);  // The replacements are gone; the value 0 is then an empty one at the end.
  EXPECT_TRUE(Charsmap::read(without_leaf));
  const std::string leaf("\x00\x00\x00\x80", 4);
  std::string far = map;
  far.replace(map.rfind(leaf), 4, std::string("\x09\x00\x00\x80", 4));
  EXPECT_FALSE(Charsmap::read(far));
}

TEST(Charsmap, RefusesReplacementsThatAreTooLongOrNoText) {
  EXPECT_FALSE(Charsmap::read(charsmap_bytes({{"a", std::string(257, 'x')}})));
  EXPECT_FALSE(Charsmap::read(charsmap_bytes({{"a", "\xff"}})));
}

}  // namespace
}  // namespace sida::tokenizer
