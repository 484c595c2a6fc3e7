#include "common/model/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "common/model/safetensors_writer.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace sida::model {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Tensors = std::map<std::string, TensorToWrite>;

// A model directory whose configuration and tensors a test may change. Every tensor is zero but for its first byte,
// which is its position in the file, so that aliases can be told apart.
class ChangedModel {
 public:
  ChangedModel() {
    test::write_model(directory_.path() / "m", test::tiny_blueprint());
    const auto weights = WeightFiles::open(path()).value();
    for (const auto& [name, info] : weights.tensors()) {
      tensors[name] = {.name = name, .dtype = info.dtype, .shape = info.shape, .aliases = {}};
    }
    fs::remove(path() / "model.safetensors");
    std::ifstream(path() / "config.json") >> config;
  }

  [[nodiscard]] fs::path path() const { return directory_.path() / "m"; }

  Result<ModelDirectory> open() {
    std::ofstream(path() / "config.json") << config;
    std::vector<TensorToWrite> list;
    for (auto& [name, tensor] : tensors) {
      tensor.name = name;
      list.push_back(tensor);
    }
    fs::remove(path() / "model.safetensors");
    auto writer = create_safetensors(path() / "model.safetensors", list).value();
    for (std::size_t i = 0; i < list.size(); ++i) {
      std::vector<std::byte> bytes(list[i].bytes());
      if (!bytes.empty()) bytes[0] = static_cast<std::byte>(i);
      SIDA_CHECK(writer->append(bytes).has_value());
    }
    SIDA_CHECK(writer->finish().has_value());
    return ModelDirectory::open(path());
  }

  std::string refusal() {
    const auto model = open();
    if (model) return "accepted";
    EXPECT_EQ(model.error().code, ErrorCode::kInvalidModel);
    return model.error().message;
  }

  Tensors tensors;
  nlohmann::json config;

 private:
  test::TemporaryDirectory directory_;
};

constexpr const char* kClassifier = "encoder.block.1.layer.1.mlp.router.classifier.weight";

TEST(ModelDirectory, FindsTensorsByRole) {
  const auto model = ChangedModel().open().value();
  EXPECT_EQ(model.geometry().encoder_moe_layers, 2);
  EXPECT_EQ(model.geometry().decoder_moe_layers, 1);
  EXPECT_EQ(model.embedding(Stack::kDecoder).name, "shared.weight");
  EXPECT_EQ(model.lm_head().name, "shared.weight");
  EXPECT_EQ(model.mlp_prefix(LayerId(2)), "decoder.block.1.layer.2.mlp.");
  EXPECT_EQ(model.expert({LayerId(1), ExpertId(2)}).wo->name, "encoder.block.3.layer.1.mlp.experts.expert_2.wo.weight");
  EXPECT_THAT(model.warnings(), IsEmpty());
}

TEST(ModelDirectory, SaysWhatIsNotThere) {
  EXPECT_EQ(ModelDirectory::open("/nonexistent").error().code, ErrorCode::kNotFound);
  test::TemporaryDirectory empty;
  EXPECT_THAT(ModelDirectory::open(empty.path()).error().message, HasSubstr("config.json"));
  const auto config = empty.write("config.json", "{}");
  EXPECT_EQ(ModelDirectory::open(empty.path()).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(ModelDirectory::open(empty.path()).error().message, HasSubstr("no weights"));
}

TEST(ModelDirectory, NamesEveryMissingTensor) {
  ChangedModel changed;
  const Tensors all = changed.tensors;
  for (const auto& [name, tensor] : all) {
    if (name.find(".router.") != name.npos) continue;  // Decides sparsity: tested below.
    changed.tensors = all;
    changed.tensors.erase(name);
    EXPECT_THAT(changed.refusal(), HasSubstr("'" + name + "' is missing"));
  }
}

TEST(ModelDirectory, NamesEveryTensorOfAnotherShape) {
  ChangedModel changed;
  const Tensors all = changed.tensors;
  for (const auto& [name, tensor] : all) {
    changed.tensors = all;
    changed.tensors[name].shape.back() += 1;
    EXPECT_THAT(changed.refusal(), HasSubstr("tensor '" + name + "' has shape ["));
  }
}

TEST(ModelDirectory, NamesATensorOfAnotherType) {
  ChangedModel changed;
  changed.tensors[kClassifier].dtype = DType::kInt32;
  EXPECT_THAT(changed.refusal(),
              HasSubstr("model.safetensors: tensor '" + std::string(kClassifier) + "' has dtype int32"));
}

TEST(ModelDirectory, TensorNamesDecideSparsity) {
  ChangedModel changed;
  changed.config["decoder_sparse_step"] = 0;
  const auto model = changed.open().value();
  EXPECT_TRUE(model.geometry().decoder[1].sparse);
  EXPECT_THAT(model.warnings(), ElementsAre(HasSubstr("decoder block 1 dense, the weights make it sparse")));
}

TEST(ModelDirectory, ADenseLayerInPlaceOfExpertsIsAWarning) {
  ChangedModel changed;
  std::erase_if(changed.tensors,
                [](const auto& item) { return item.first.starts_with("decoder.block.1.layer.2.mlp."); });
  changed.tensors["decoder.block.1.layer.2.mlp.wi.weight"] = {.name = {}, .shape = {12, 8}, .aliases = {}};
  changed.tensors["decoder.block.1.layer.2.mlp.wo.weight"] = {.name = {}, .shape = {8, 12}, .aliases = {}};
  const auto model = changed.open().value();
  EXPECT_EQ(model.geometry().decoder_moe_layers, 0);
  EXPECT_THAT(model.warnings(), ElementsAre(HasSubstr("decoder block 1 sparse, the weights make it dense")));
}

// switch-c-2048 declares 12 decoder blocks and has 15.
TEST(ModelDirectory, MoreBlocksThanDeclaredAreServed) {
  ChangedModel changed;
  changed.config["num_layers"] = 2;
  const auto model = changed.open().value();
  EXPECT_EQ(model.geometry().encoder.size(), 4U);
  EXPECT_THAT(model.warnings(), ElementsAre(HasSubstr("declares 2 encoder blocks, the weights have 4")));
}

TEST(ModelDirectory, FewerBlocksThanDeclaredAreRefused) {
  ChangedModel changed;
  changed.config["num_layers"] = 5;
  EXPECT_THAT(changed.refusal(), HasSubstr("'encoder.block.4.layer.0.layer_norm.weight' is missing"));
}

// 65536 experts in 1024 layers would be 268 million names.
TEST(ModelDirectory, AnAbsurdConfigurationEndsAtTheFirstMissingTensor) {
  ChangedModel changed;
  changed.config["num_experts"] = 65536;
  changed.config["num_layers"] = 1024;
  EXPECT_THAT(changed.refusal(), HasSubstr("has shape [3, 8], the configuration asks for [65536, 8]"));
}

TEST(ModelDirectory, TheEmbeddingDecidesTheVocabulary) {
  ChangedModel changed;
  changed.config["vocab_size"] = 38;
  const auto model = changed.open().value();
  EXPECT_EQ(model.config().vocab_size, 40);
  EXPECT_THAT(model.warnings(), ElementsAre(HasSubstr("the embedding has 40 rows")));
}

TEST(ModelDirectory, TheWeightsDecideTheDtype) {
  ChangedModel changed;
  changed.config["torch_dtype"] = "bfloat16";
  const auto model = changed.open().value();
  EXPECT_EQ(model.config().dtype, DType::kFloat32);
  EXPECT_THAT(model.warnings(), ElementsAre(HasSubstr("declares bf16, the weights are stored as fp32")));
}

TEST(ModelDirectory, ATiedModelAcceptsAnyNameOfTheEmbedding) {
  for (const char* name : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}) {
    ChangedModel changed;
    changed.tensors[name] = changed.tensors["shared.weight"];
    changed.tensors.erase("shared.weight");
    const auto model = changed.open();
    ASSERT_TRUE(model.has_value()) << model.error().message;
    EXPECT_EQ(model->embedding(Stack::kEncoder).name, name);
    EXPECT_EQ(model->lm_head().name, name);
  }
}

TEST(ModelDirectory, AnUntiedModelPrefersTheTableOfTheStack) {
  ChangedModel changed;
  changed.config["tie_word_embeddings"] = false;
  for (const char* name : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}) {
    changed.tensors[name] = changed.tensors["shared.weight"];
  }
  const auto model = changed.open().value();
  EXPECT_EQ(model.embedding(Stack::kEncoder).name, "encoder.embed_tokens.weight");
  EXPECT_EQ(model.embedding(Stack::kDecoder).name, "decoder.embed_tokens.weight");
  EXPECT_EQ(model.lm_head().name, "lm_head.weight");
}

// What Hugging Face 4 writes: one table for both stacks, and a head.
TEST(ModelDirectory, AnUntiedModelFallsBackToTheSharedTable) {
  ChangedModel changed;
  changed.config["tie_word_embeddings"] = false;
  EXPECT_THAT(changed.refusal(), HasSubstr("'lm_head.weight' is missing"));
  changed.tensors["lm_head.weight"] = changed.tensors["shared.weight"];
  const auto model = changed.open().value();
  EXPECT_EQ(model.embedding(Stack::kDecoder).name, "shared.weight");
  EXPECT_EQ(model.lm_head().name, "lm_head.weight");
}

TEST(ModelDirectory, CountsUnusedTensors) {
  ChangedModel changed;
  changed.tensors["classifier.dense.weight"] = {.name = {}, .shape = {2, 2}, .aliases = {}};
  EXPECT_THAT(changed.open().value().warnings(),
              ElementsAre("1 tensors are not used, the first is 'classifier.dense.weight'"));
}

TEST(ModelDirectory, AnEncoderNeedsNoDecoder) {
  ChangedModel changed;
  changed.config["architectures"] = {"SwitchTransformersEncoderModel"};
  std::erase_if(changed.tensors, [](const auto& item) { return item.first.starts_with("decoder."); });
  const auto model = changed.open();
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_TRUE(model->geometry().decoder.empty());
}

TEST(ModelDirectory, ARouterBiasIsNeededWhenDeclared) {
  ChangedModel changed;
  changed.config["router_bias"] = true;
  EXPECT_THAT(changed.refusal(), HasSubstr("router.classifier.bias' is missing"));
}

TEST(Fingerprint, ChangesWithTheConfigurationAndWithTheGates) {
  const auto of = [](const std::function<void(ChangedModel&)>& change) {
    ChangedModel changed;
    change(changed);
    return to_hex(changed.open().value().fingerprint());
  };
  const std::string original = of([](ChangedModel&) {});
  EXPECT_EQ(original.size(), 64U);
  EXPECT_EQ(of([](ChangedModel& m) { m.config["transformers_version"] = "5.0"; }), original);
  EXPECT_NE(of([](ChangedModel& m) { m.config["expert_capacity"] = 65; }), original);
  EXPECT_NE(of([](ChangedModel& m) { m.config["layer_norm_epsilon"] = 1e-5; }), original);
  // An alias in front of everything else shifts the first byte of every tensor, also of gates and embedding.
  EXPECT_NE(of([](ChangedModel& m) { m.tensors["a"] = {.name = {}, .shape = {2}, .aliases = {}}; }), original);
  // One behind everything else shifts none, and is not used.
  EXPECT_EQ(of([](ChangedModel& m) { m.tensors["z"] = {.name = {}, .shape = {2}, .aliases = {}}; }), original);
}

}  // namespace
}  // namespace sida::model
