#include "common/model/geometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::model {
namespace {

using testing::ElementsAre;

std::vector<RequiredTensor> tensors_of(const ModelConfig& config, const ModelGeometry& geometry) {
  std::vector<RequiredTensor> tensors;
  const auto done = visit_required_tensors(config, geometry, [&](RequiredTensor tensor) -> Result<void> {
    tensors.push_back(std::move(tensor));
    return {};
  });
  SIDA_CHECK(done.has_value());
  return tensors;
}

TEST(ModelGeometry, SparseBlocksFollowTheStep) {
  EXPECT_THAT(sparse_blocks(4, 2), ElementsAre(false, true, false, true));
  EXPECT_THAT(sparse_blocks(3, 1), ElementsAre(true, true, true));
  EXPECT_THAT(sparse_blocks(6, 4), ElementsAre(false, true, false, false, false, true));
  EXPECT_THAT(sparse_blocks(3, 0), ElementsAre(false, false, false));
}

TEST(ModelGeometry, NumbersMoeLayersInOrderOfUse) {
  const ModelGeometry geometry = make_geometry({false, true, true}, {true, false});
  EXPECT_EQ(geometry.encoder_moe_layers, 2);
  EXPECT_EQ(geometry.decoder_moe_layers, 1);
  EXPECT_EQ(geometry.encoder[0].layer, LayerId(-1));
  EXPECT_EQ(geometry.encoder[1].layer, LayerId(0));
  EXPECT_EQ(geometry.encoder[2].layer, LayerId(1));
  EXPECT_EQ(geometry.decoder[0].layer, LayerId(2));
}

TEST(ModelGeometry, NamesTheTensorsOfAMoeLayer) {
  const ModelGeometry geometry = make_geometry({false, true}, {false, true});
  EXPECT_EQ(mlp_prefix(position(geometry, LayerId(0))), "encoder.block.1.layer.1.mlp.");
  EXPECT_EQ(expert_prefix(position(geometry, LayerId(1)), ExpertId(7)),
            "decoder.block.1.layer.2.mlp.experts.expert_7.");
}

TEST(ModelGeometry, ListsEveryTensorOnce) {
  ModelConfig config;
  config.num_experts = 2;
  const auto tensors = tensors_of(config, make_geometry({true}, {false}));
  std::vector<std::string> names;
  for (const RequiredTensor& tensor : tensors) names.push_back(tensor.name);
  EXPECT_THAT(names, ElementsAre("shared.weight",                                                         //
                                 "encoder.block.0.layer.0.layer_norm.weight",                             //
                                 "encoder.block.0.layer.0.SelfAttention.q.weight",                        //
                                 "encoder.block.0.layer.0.SelfAttention.k.weight",                        //
                                 "encoder.block.0.layer.0.SelfAttention.v.weight",                        //
                                 "encoder.block.0.layer.0.SelfAttention.o.weight",                        //
                                 "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",  //
                                 "encoder.block.0.layer.1.layer_norm.weight",                             //
                                 "encoder.block.0.layer.1.mlp.router.classifier.weight",                  //
                                 "encoder.block.0.layer.1.mlp.experts.expert_0.wi.weight",                //
                                 "encoder.block.0.layer.1.mlp.experts.expert_0.wo.weight",                //
                                 "encoder.block.0.layer.1.mlp.experts.expert_1.wi.weight",                //
                                 "encoder.block.0.layer.1.mlp.experts.expert_1.wo.weight",                //
                                 "encoder.final_layer_norm.weight",                                       //
                                 "decoder.block.0.layer.0.layer_norm.weight",                             //
                                 "decoder.block.0.layer.0.SelfAttention.q.weight",                        //
                                 "decoder.block.0.layer.0.SelfAttention.k.weight",                        //
                                 "decoder.block.0.layer.0.SelfAttention.v.weight",                        //
                                 "decoder.block.0.layer.0.SelfAttention.o.weight",                        //
                                 "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",  //
                                 "decoder.block.0.layer.1.layer_norm.weight",                             //
                                 "decoder.block.0.layer.1.EncDecAttention.q.weight",                      //
                                 "decoder.block.0.layer.1.EncDecAttention.k.weight",                      //
                                 "decoder.block.0.layer.1.EncDecAttention.v.weight",                      //
                                 "decoder.block.0.layer.1.EncDecAttention.o.weight",                      //
                                 "decoder.block.0.layer.2.layer_norm.weight",                             //
                                 "decoder.block.0.layer.2.mlp.wi.weight",                                 //
                                 "decoder.block.0.layer.2.mlp.wo.weight",                                 //
                                 "decoder.final_layer_norm.weight"));
}

TEST(ModelGeometry, AnUntiedModelHasThreeTables) {
  ModelConfig config;
  config.tie_word_embeddings = false;
  const auto tensors = tensors_of(config, make_geometry({false}, {false}));
  EXPECT_EQ(tensors[0].name, "encoder.embed_tokens.weight");
  EXPECT_EQ(tensors[1].name, "decoder.embed_tokens.weight");
  EXPECT_EQ(tensors[2].name, "lm_head.weight");
}

}  // namespace
}  // namespace sida::model
