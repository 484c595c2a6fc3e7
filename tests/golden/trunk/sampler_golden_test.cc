// The filters of sampling against Hugging Face's logits processors, case by case.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "router/trunk/sampler.h"
#include "tests/support/golden_file.h"

namespace sida::router {
namespace {

const std::string kFolder = std::string(SIDA_SOURCE_DIR) + "/tests/golden/";

SamplingParams params_of(const nlohmann::json& settings) {
  SamplingParams params;
  params.temperature = settings["do_sample"].get<bool>() ? settings["temperature"].get<float>() : 0;
  params.top_k = settings["top_k"];
  params.top_p = settings["top_p"];
  params.repetition_penalty = settings["repetition_penalty"];
  params.no_repeat_ngram_size = settings["no_repeat_ngram_size"];
  params.min_new_tokens = settings["min_new_tokens"];
  return params;
}

TEST(SamplerGolden, FiltersScoresAsHuggingFaceDoes) {
  const sida::testing::GoldenFile golden(kFolder + "sampling.safetensors");
  const auto cases = nlohmann::json::parse(std::ifstream(kFolder + "sampling.json"))["cases"];
  ASSERT_GE(cases.size(), 40U);
  for (const auto& settings : cases) {
    const std::string prefix = "case" + std::to_string(settings["index"].get<int>()) + ".";
    SCOPED_TRACE(settings.dump());
    auto scores = golden.values<float>(prefix + "logits");
    const auto expected = golden.values<float>(prefix + "scores");
    const auto history = golden.ids(prefix + "previous_ids");
    const std::array<std::int32_t, 1> ends{settings["eos_token_id"].get<std::int32_t>()};
    filter_scores(scores, {history, static_cast<std::int64_t>(history.size()) - 1, ends}, params_of(settings));
    ASSERT_EQ(scores.size(), expected.size());
    for (std::size_t token = 0; token < scores.size(); ++token) {
      ASSERT_EQ(std::isinf(scores[token]), std::isinf(expected[token])) << "token " << token;
      if (!std::isinf(scores[token])) {
        ASSERT_NEAR(scores[token], expected[token], 1e-5 * (1 + std::abs(expected[token]))) << "token " << token;
      }
    }
  }
}

}  // namespace
}  // namespace sida::router
