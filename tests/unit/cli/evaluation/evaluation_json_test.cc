#include "cli/evaluation/evaluation_json.h"

#include <gtest/gtest.h>

#include "tests/unit/cli/evaluation/evaluation_example.h"

namespace sida::cli {
namespace {

using nlohmann::json;

TEST(EvaluationJson, HasTheKeysThatOthersRelyOn) {
  const json out = evaluation_json(test::evaluation(), "learned");
  const json& task = out["tasks"]["short"];
  EXPECT_EQ(task["top1"], 90.0);
  EXPECT_EQ(task["top3"], 98.75);
  EXPECT_EQ(task["gate_mass"], 88.0);
  EXPECT_EQ(task["accuracy_exact"], 50.0);
  EXPECT_EQ(task["accuracy_predicted"], 49.5);
  EXPECT_EQ(task["fidelity"], 99.0);
  EXPECT_EQ(task["unchanged"], 95.0);
  EXPECT_EQ(out["perplexity"]["exact"], 4.0);
  EXPECT_EQ(out["perplexity"]["predicted"], 5.0);
  EXPECT_EQ(out["perplexity"]["ratio"], 1.25);
  EXPECT_EQ(out["decoder"]["top1"], 60.0);
  EXPECT_EQ(out["decoder"]["top3"], 80.0);
}

TEST(EvaluationJson, TellsLayersEntropyAndCost) {
  const json out = evaluation_json(test::evaluation(), "learned");
  const json entropy = out["held_out"]["entropy"];
  EXPECT_EQ(entropy[0], json({{"layer", "encoder.1"}, {"normalised", 1.0}}));
  EXPECT_EQ(entropy[1], json({{"layer", "decoder.1"}, {"normalised", 0.0}}));
  const json& learned = out["held_out"]["predictors"][0];
  EXPECT_EQ(learned["encoder"]["layers"][0]["layer"], "encoder.1");
  EXPECT_EQ(learned["encoder"]["layers"][0]["top1"], 82.0);
  EXPECT_EQ(learned["microseconds_per_source_token"], 100.0);
  EXPECT_EQ(learned["microseconds_per_target_token"], 200.0);
  EXPECT_TRUE(out["held_out"]["predictors"][1]["microseconds_per_source_token"].is_null());
}

TEST(EvaluationJson, LeavesOutWhatWasNotMeasured) {
  auto evaluation = test::evaluation();
  evaluation.modes.clear();
  const json out = evaluation_json(evaluation, "learned");
  EXPECT_FALSE(out.contains("perplexity"));
  EXPECT_FALSE(out["tasks"]["short"].contains("accuracy_exact"));
  EXPECT_FALSE(out.contains("out_of_domain"));
}

TEST(EvaluationJson, FidelityIsOfNothingWhenNothingWasRight) {
  auto evaluation = test::evaluation();
  for (ModeResult& mode : evaluation.modes) mode.answers["short"].right = 0;
  EXPECT_TRUE(evaluation_json(evaluation, "learned")["tasks"]["short"]["fidelity"].is_null());
}

}  // namespace
}  // namespace sida::cli
