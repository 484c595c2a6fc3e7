#include "cli/bench/offload_record.h"

#include <gtest/gtest.h>

#include "tests/support/traced_example.h"

namespace sida::bench {
namespace {

TEST(EncoderExperts, CountAnExpertOncePerLayerAndNotWhatCapacityDropped) {
  trace::TracedSequence sequence = test::traced_sequence(test::trace_header(8), 0);
  sequence.encoder[0].served = {3, 3, -1, 5};
  sequence.encoder[1].served = {3, -1, -1, 3};
  EXPECT_EQ(encoder_experts(sequence), 3U);
}

}  // namespace
}  // namespace sida::bench
