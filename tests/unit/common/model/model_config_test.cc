#include "common/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace sida::model {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

// As google/switch-base-8 declares it, where it differs from the defaults.
json base8() {
  return {{"model_type", "switch_transformers"},
          {"vocab_size", 32128},
          {"d_model", 768},
          {"d_kv", 64},
          {"d_ff", 3072},
          {"num_heads", 12},
          {"num_layers", 12},
          {"num_decoder_layers", 12},
          {"num_sparse_encoder_layers", 6},
          {"num_sparse_decoder_layers", 6},
          {"num_experts", 8},
          {"feed_forward_proj", "relu"},
          {"is_gated_act", false},
          {"pad_token_id", 0},
          {"eos_token_id", 1}};
}

DeclaredModel parse(const json& config, const std::string& generation = "") {
  const auto model = parse_model_config(config.dump(), generation);
  SIDA_CHECK(model.has_value());
  return *model;
}

json with(const char* key, const json& value) {
  json config = base8();
  config[key] = value;
  return config;
}

std::string refusal(const json& config, const std::string& generation = "") {
  const auto model = parse_model_config(config.dump(), generation);
  if (model) return "accepted";
  EXPECT_EQ(model.error().code, ErrorCode::kInvalidModel);
  return model.error().message;
}

TEST(ModelConfig, ReadsTheSizes) {
  const DeclaredModel model = parse(base8());
  EXPECT_EQ(model.config.d_model, 768);
  EXPECT_EQ(model.config.d_ff, 3072);
  EXPECT_EQ(model.config.num_experts, 8);
  EXPECT_EQ(model.config.expert_capacity, 64);
  EXPECT_TRUE(model.config.tie_word_embeddings);
  EXPECT_EQ(model.num_layers, 12);
}

TEST(ModelConfig, DerivesTheSparseStepFromTheNumberOfSparseLayers) {
  EXPECT_EQ(parse(base8()).encoder_sparse_step, 2);
  EXPECT_EQ(parse(with("num_sparse_decoder_layers", 0)).decoder_sparse_step, 12);
  EXPECT_EQ(parse(with("num_sparse_encoder_layers", 24)).encoder_sparse_step, 0);
}

TEST(ModelConfig, AnExplicitSparseStepOverridesTheNumber) {
  EXPECT_EQ(parse(with("encoder_sparse_step", 1)).encoder_sparse_step, 1);
  EXPECT_EQ(parse(with("decoder_sparse_step", 0)).decoder_sparse_step, 0);
}

TEST(ModelConfig, DecoderStartsWithThePadTokenUnlessToldOtherwise) {
  EXPECT_EQ(parse(with("pad_token_id", 3)).config.decoder_start_token_id, 3);
  EXPECT_EQ(parse(with("decoder_start_token_id", 5)).config.decoder_start_token_id, 5);
  EXPECT_EQ(parse(with("decoder_start_token_id", nullptr)).config.decoder_start_token_id, 0);
}

TEST(ModelConfig, EndTokensAreOneOrSeveral) {
  EXPECT_THAT(parse(base8()).config.eos_token_ids, ElementsAre(1));
  EXPECT_THAT(parse(with("eos_token_id", {1, 7})).config.eos_token_ids, ElementsAre(1, 7));
}

TEST(ModelConfig, GenerationConfigComesFirst) {
  const DeclaredModel model = parse(with("eos_token_id", 4), R"({"eos_token_id":[9,8],"decoder_start_token_id":2})");
  EXPECT_THAT(model.config.eos_token_ids, ElementsAre(9, 8));
  EXPECT_EQ(model.config.decoder_start_token_id, 2);
}

TEST(ModelConfig, KnowsBothNamesOfTheDtype) {
  EXPECT_EQ(parse(with("torch_dtype", "bfloat16")).dtype, DType::kBFloat16);
  EXPECT_EQ(parse(with("dtype", "float16")).dtype, DType::kFloat16);
  EXPECT_EQ(parse(base8()).dtype, std::nullopt);
}

TEST(ModelConfig, KnowsEncoderOnlyModels) {
  EXPECT_TRUE(parse(with("architectures", {"SwitchTransformersEncoderModel"})).encoder_only);
  EXPECT_FALSE(parse(with("architectures", {"SwitchTransformersForConditionalGeneration"})).encoder_only);
  EXPECT_FALSE(parse(with("architectures", json::array())).encoder_only);
}

TEST(ModelConfig, RefusesVariantsThatAreNotServed) {
  EXPECT_THAT(refusal(with("model_type", "t5")), HasSubstr("'t5', not 'switch_transformers'"));
  EXPECT_THAT(refusal(with("feed_forward_proj", "gated-gelu")), HasSubstr("'feed_forward_proj' is 'gated-gelu'"));
  EXPECT_THAT(refusal(with("dense_act_fn", "gelu_new")), HasSubstr("'dense_act_fn' is 'gelu_new'"));
  EXPECT_THAT(refusal(with("is_gated_act", true)), HasSubstr("'is_gated_act'"));
}

TEST(ModelConfig, RefusesValuesOutOfBoundsByKey) {
  EXPECT_THAT(refusal(with("d_model", 0)), HasSubstr("config.json: 'd_model' is not an integer between 1 and"));
  EXPECT_THAT(refusal(with("d_model", -768)), HasSubstr("'d_model'"));
  EXPECT_THAT(refusal(with("d_model", 768.5)), HasSubstr("'d_model'"));
  EXPECT_THAT(refusal(with("d_model", "768")), HasSubstr("'d_model'"));
  EXPECT_THAT(refusal(with("num_experts", 18446744073709551615U)), HasSubstr("'num_experts'"));
  EXPECT_THAT(refusal(with("num_layers", 1 << 20)), HasSubstr("'num_layers'"));
  EXPECT_THAT(refusal(with("layer_norm_epsilon", -1.0)), HasSubstr("'layer_norm_epsilon'"));
  EXPECT_THAT(refusal(with("expert_capacity", 0)), HasSubstr("'expert_capacity'"));
  EXPECT_THAT(refusal(with("tie_word_embeddings", 1)), HasSubstr("'tie_word_embeddings'"));
}

TEST(ModelConfig, RefusesTokensOutsideTheVocabulary) {
  EXPECT_THAT(refusal(with("pad_token_id", 32128)), HasSubstr("'pad_token_id'"));
  EXPECT_THAT(refusal(with("eos_token_id", json::array())), HasSubstr("'eos_token_id'"));
  EXPECT_THAT(refusal(with("eos_token_id", {1, -1})), HasSubstr("'eos_token_id'"));
  EXPECT_THAT(refusal(base8(), R"({"eos_token_id":99999})"), HasSubstr("generation_config.json: 'eos_token_id'"));
}

TEST(ModelConfig, RefusesWhatIsNoObject) {
  EXPECT_EQ(parse_model_config("[]", "").error().message, "config.json: not a JSON object");
  EXPECT_EQ(parse_model_config("{\"a\":", "").error().message, "config.json: not a JSON object");
  EXPECT_EQ(parse_model_config("", "").error().message, "config.json: not a JSON object");
  EXPECT_EQ(parse_model_config(std::string(1'000'000, '['), "").error().message, "config.json: nested too deeply");
  EXPECT_EQ(parse_model_config(std::string(2'000'000, ' '), "").error().message, "config.json: longer than 1 MiB");
}

}  // namespace
}  // namespace sida::model
