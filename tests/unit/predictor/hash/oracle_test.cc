#include "predictor/hash/oracle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace sida::predictor {
namespace {

using ::testing::ElementsAre;

Oracle oracle() {
  RecordedRoutes routes{.source = {7, 8, 1}, .decoder_input = {0, 5}};
  routes.encoder = {{{3, 2, 1}, {0, 0, 4}}, {{0.3F, 0.2F, 0.1F}, {1, 1, 0.5F}}};
  routes.decoder = {{{6, 7}}, {{0.6F, 0.7F}}};
  return {{.encoder_layers = 2, .decoder_layers = 1}, {routes}};
}

Beginning begin(Oracle& oracle, std::vector<std::int32_t> tokens) {
  const Source source{.tokens = tokens};
  return std::move(oracle.begin({&source, 1}).front());
}

std::int16_t next(Oracle& oracle, const Beginning& sequence, std::int32_t token) {
  const DecoderInput input{sequence.state.get(), token};
  return oracle.advance({&input, 1}).front().experts.front();
}

TEST(Oracle, SaysWhatWasRecorded) {
  Oracle replaying = oracle();
  const Beginning sequence = begin(replaying, {7, 8, 1});
  EXPECT_THAT(sequence.predictions.experts, ElementsAre(3, 2, 1, 0, 0, 4));
  EXPECT_THAT(sequence.predictions.confidences, ElementsAre(0.3F, 0.2F, 0.1F, 1, 1, 0.5F));
  EXPECT_EQ(next(replaying, sequence, 0), 6);
  EXPECT_EQ(next(replaying, sequence, 5), 7);
  EXPECT_EQ(next(replaying, sequence, 5), -1);  // The record ends.
}

TEST(Oracle, SaysNothingOfWhatWasNotRecorded) {
  Oracle replaying = oracle();
  EXPECT_THAT(begin(replaying, {7}).predictions.experts, ElementsAre(-1, -1));
}

TEST(Oracle, FallsSilentWhenADecoderLeavesTheRecord) {
  Oracle replaying = oracle();
  const Beginning sequence = begin(replaying, {7, 8, 1});
  EXPECT_EQ(next(replaying, sequence, 0), 6);
  EXPECT_EQ(next(replaying, sequence, 4), -1);
  EXPECT_EQ(next(replaying, sequence, 5), -1);
}

}  // namespace
}  // namespace sida::predictor
