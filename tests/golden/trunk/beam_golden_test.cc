// Beam search against Hugging Face's `generate`, search by search: tests/golden/README.md tells what is in beams.json.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "router/trunk/step_runner.h"
#include "tests/support/golden_file.h"
#include "tests/support/local_experts.h"

namespace sida::router {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(SIDA_SOURCE_DIR) / "tests/golden";
constexpr double kTolerance = 1e-4;  // Of the sum of log-probabilities.

struct Trunk {
  explicit Trunk(const std::string& name)
      : golden(kFolder / "cases" / name / "golden.safetensors"),
        model(model::ModelDirectory::open(kFolder / "cases" / name / "model").value()),
        weights(TrunkWeights::load(model, {DType::kFloat32, model.config().expert_capacity}).value()),
        backend(compute::make_cpu_backend({}).value()),
        experts(model, *backend, DType::kFloat32) {}

  sida::testing::GoldenFile golden;
  model::ModelDirectory model;
  TrunkWeights weights;
  std::unique_ptr<compute::Backend> backend;
  sida::testing::LocalExperts experts;
};

EarlyStopping early_stopping_of(const nlohmann::json& setting) {
  if (setting == "never") return EarlyStopping::kNever;
  return setting.get<bool>() ? EarlyStopping::kYes : EarlyStopping::kNo;
}

SamplingParams params_of(const nlohmann::json& search) {
  SamplingParams params;
  params.max_new_tokens = search["max_new_tokens"];
  params.min_new_tokens = search["min_new_tokens"];
  params.repetition_penalty = search["repetition_penalty"];
  params.no_repeat_ngram_size = search["no_repeat_ngram_size"];
  params.beam_search = BeamParams{.beams = search["num_beams"],
                                  .returned = search["num_return_sequences"],
                                  .length_penalty = search["length_penalty"],
                                  .early_stopping = early_stopping_of(search["early_stopping"])};
  return params;
}

std::vector<BeamResult> run(Trunk& trunk, std::vector<std::int32_t> source, const SamplingParams& params) {
  StepRunner runner(trunk.weights, *trunk.backend, trunk.experts);
  TrunkStep step{.id = StepId{1}};
  step.encode.push_back({.id = SequenceId{1}, .source = std::move(source), .sampling = params});
  for (std::uint64_t next = 2;; ++next) {
    runner.start(std::move(step));
    trunk.experts.run_all();
    auto done = runner.take_done();
    if (!done || done->outcomes.front().error) return {};
    if (done->outcomes.front().finished) return done->outcomes.front().beams;
    step = TrunkStep{.id = StepId{next}};
    step.decode = {SequenceId{1}};
  }
}

TEST(BeamGolden, AnswersWhatHuggingFaceAnswers) {
  const auto searches = nlohmann::json::parse(std::ifstream(kFolder / "beams.json"))["searches"];
  ASSERT_GE(searches.size(), 200U);
  std::map<std::string, std::unique_ptr<Trunk>> trunks;
  for (const auto& search : searches) {
    SCOPED_TRACE(search.dump());
    auto& trunk = trunks[search["case"].get<std::string>()];
    if (!trunk) trunk = std::make_unique<Trunk>(search["case"].get<std::string>());
    const auto source = trunk->golden.ids("seq" + std::to_string(search["sequence"].get<int>()) + ".input_ids");
    const auto found = run(*trunk, source, params_of(search));
    ASSERT_EQ(found.size(), search["ids"].size());
    for (std::size_t index = 0; index < found.size(); ++index) {
      std::vector<std::int32_t> tokens;
      for (const GeneratedToken& token : found[index].tokens) tokens.push_back(token.token);
      EXPECT_EQ(tokens, search["ids"][index].get<std::vector<std::int32_t>>()) << "answer " << index;
      const double length = std::pow(static_cast<double>(tokens.size()), search["length_penalty"].get<double>());
      EXPECT_NEAR(length * static_cast<double>(found[index].score), length * search["scores"][index].get<double>(),
                  kTolerance)
          << "answer " << index;
    }
  }
}

}  // namespace
}  // namespace sida::router
