#include "common/tokenizer/decoder.h"

#include <gtest/gtest.h>

namespace sida::tokenizer {
namespace {

TEST(Decoder, MetaspaceDropsMarksOfTheFirstToken) {
  EXPECT_EQ(decode_tokens({MetaspaceDecoderStep{"_"}}, {"__a", "_b", "c"}), "a bc");
  EXPECT_EQ(decode_tokens({MetaspaceDecoderStep{"_", PrependScheme::kNever}}, {"_a", "_b"}), " a b");
}

TEST(Decoder, BytesBecomeTextOrReplacementCharacters) {
  EXPECT_EQ(decode_tokens({ByteFallbackStep{}}, {"a", "<0xC3>", "<0xA9>", "b"}), "a\u00e9b");
  EXPECT_EQ(decode_tokens({ByteFallbackStep{}}, {"<0xC3>", "<0x41>", "<0xzz>"}), "\uFFFD\uFFFD<0xzz>");
}

TEST(Decoder, StripCutsUpToItsCounts) {
  EXPECT_EQ(decode_tokens({StripDecoderStep{" ", 1, 2}}, {"  a   ", " "}), " a ");
}

TEST(Decoder, FusedTokensAreDecodedAsOne) {
  EXPECT_EQ(decode_tokens({FuseStep{}, StripDecoderStep{" ", 1, 0}}, {" a", " b"}), "a b");
  EXPECT_EQ(decode_tokens({ReplaceDecoderStep{"_", " "}}, {"_a", "_b"}), " a b");
}

}  // namespace
}  // namespace sida::tokenizer
