#include "predictor/network/network_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/predictor/network/tiny_network.h"

namespace sida::predictor {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(NetworkShape, IsReadAsItWasWritten) {
  for (const NetworkShape& shape : {tiny_miniature(), tiny_narrow_miniature(), tiny_published()}) {
    const auto read = parse_network_shape(to_json(shape), tiny_model_shape());
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(*read, shape);
  }
}

TEST(NetworkShape, NamesEveryTensorOnce) {
  std::set<std::string> names;
  for (const NetworkTensor& tensor : tensors_of(tiny_miniature(), tiny_model_shape())) {
    EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
  }
  EXPECT_TRUE(names.contains("encoder.block.3.feed_forward.wi"));
  EXPECT_TRUE(names.contains("decoder.block.1.cross_attention.query"));
  EXPECT_FALSE(names.contains("decoder.block.1.feed_forward.wi"));
  EXPECT_FALSE(names.contains("input"));
}

TEST(NetworkShape, CostsLessThanThePublishedNetworkAtTheDemoModelsSize) {
  const ModelShape demo{
      .vocab_size = 8000, .d_model = 128, .num_experts = 16, .encoder_layers = 3, .decoder_layers = 3};
  const NetworkShape miniature{Variant::kMiniature,
                               128,
                               4,
                               32,
                               {{512, 256, 512, 256, 512, 256}, {1, 3, 5}},
                               {{512, 256, 512, 256, 512, 0}, {1, 3, 5}}};
  const NetworkShape published{.variant = Variant::kPublished, .width = kPublishedWidth, .encoder = {}, .decoder = {}};
  EXPECT_LT(encoder_multiplications(miniature, demo), encoder_multiplications(published, demo));
}

// One change of a valid shape, and the key that the error must name.
TEST(NetworkShape, RefusesWhatDoesNotFitTheModel) {
  const std::vector<std::pair<json, std::string>> cases{
      {json::parse(R"({"variant": "crystal ball"})"), "network.variant"},
      {json::parse(R"({"width": 0})"), "network.width"},
      {json::parse(R"({"width": -1})"), "network.width"},
      {json::parse(R"({"width": 99999999})"), "network.width"},
      {json::parse(R"({"heads": 1.5})"), "network.heads"},
      {json::parse(R"({"heads": 256, "head_width": 8192})"), "network.head_width"},
      {json::parse(R"({"encoder": 3})"), "network.encoder"},
      {json::parse(R"({"encoder": {"inner": [4, 4], "gates": [0]}})"), "network.encoder.gates"},
      {json::parse(R"({"encoder": {"inner": [4, 4], "gates": [1, 0]}})"), "network.encoder.gates"},
      {json::parse(R"({"encoder": {"inner": [4, 4], "gates": [0, 2]}})"), "network.encoder.gates"},
      {json::parse(R"({"encoder": {"inner": [4, "x"], "gates": [0, 1]}})"), "network.encoder.inner"},
      {json::parse(R"({"decoder": {"inner": [], "gates": [0]}})"), "network.decoder.gates"}};
  for (const auto& [change, key] : cases) {
    json shape = to_json(tiny_miniature());
    shape.update(change);
    const auto read = parse_network_shape(shape, tiny_model_shape());
    ASSERT_FALSE(read.has_value()) << shape;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidModel);
    EXPECT_THAT(read.error().message, HasSubstr(key)) << shape;
  }
  EXPECT_FALSE(parse_network_shape(json::array(), tiny_model_shape()).has_value());
}

}  // namespace
}  // namespace sida::predictor
