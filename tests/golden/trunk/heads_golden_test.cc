// Heads for sequence classification against Hugging Face's, on the model of the case `base`.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "router/trunk/step_runner.h"
#include "tests/support/golden_file.h"
#include "tests/support/local_experts.h"
#include "tests/support/temporary_directory.h"

namespace sida::router {
namespace {

namespace fs = std::filesystem;

class HeadsGolden : public ::testing::Test {
 protected:
  HeadsGolden() {
    const fs::path golden_folder = fs::path(SIDA_SOURCE_DIR) / "tests/golden";
    fs::copy(golden_folder / "cases/base/model", directory.path() / "model");
    fs::copy(golden_folder / "heads", directory.path() / "model/heads", fs::copy_options::recursive);
    model.emplace(model::ModelDirectory::open(directory.path() / "model").value());
    weights.emplace(TrunkWeights::load(*model, {DType::kFloat32, 64}).value());
    experts.emplace(*model, *backend, DType::kFloat32);
  }

  NewSequence classified(int sequence, std::size_t head) const {
    return {.id = SequenceId{static_cast<std::uint64_t>(10 * sequence) + head},
            .source = sources.ids("seq" + std::to_string(sequence) + ".input_ids"),
            .head = head};
  }

  std::map<std::uint64_t, std::vector<float>> run(std::vector<NewSequence> sequences) {
    StepRunner runner(*weights, *backend, *experts);
    runner.start({.id = StepId{1}, .encode = std::move(sequences)});
    experts->run_all();
    const auto done = runner.take_done();
    std::map<std::uint64_t, std::vector<float>> logits;
    for (const SequenceOutcome& outcome : done.value().outcomes) {
      EXPECT_FALSE(outcome.error);
      if (outcome.finished) logits[outcome.id.value] = outcome.logits;
    }
    left = runner.sequences();
    return logits;
  }

  test::TemporaryDirectory directory;
  sida::testing::GoldenFile sources{fs::path(SIDA_SOURCE_DIR) / "tests/golden/cases/base/golden.safetensors"};
  sida::testing::GoldenFile expected{fs::path(SIDA_SOURCE_DIR) / "tests/golden/heads.safetensors"};
  std::unique_ptr<compute::Backend> backend = compute::make_cpu_backend({}).value();
  std::optional<model::ModelDirectory> model;
  std::optional<TrunkWeights> weights;
  std::optional<sida::testing::LocalExperts> experts;
  std::size_t left = 0;  // Sequences that the runner still had.
};

TEST_F(HeadsGolden, GiveTheLogitsOfHuggingFaceAloneAndAmongSequencesThatGoOn) {
  ASSERT_EQ(weights->heads().size(), 2U);
  std::vector<NewSequence> together;
  for (int sequence = 0; sources.has("seq" + std::to_string(sequence) + ".input_ids"); ++sequence) {
    for (std::size_t head = 0; head < 2; ++head) together.push_back(classified(sequence, head));
  }
  ASSERT_EQ(together.size(), 6U);
  NewSequence generating{.id = SequenceId{99}, .source = together.back().source};
  generating.sampling.max_new_tokens = 3;
  std::vector<NewSequence> all = together;
  all.insert(all.begin() + 2, generating);

  const auto logits = run(all);

  EXPECT_EQ(left, 1U);  // The one that generates.
  for (const NewSequence& one : together) {
    const auto& got = logits.at(one.id.value);
    const std::string name = "seq" + std::to_string(one.id.value / 10) + "." + weights->heads()[*one.head].name;
    const auto reference = expected.values<float>(name);
    ASSERT_EQ(got.size(), reference.size()) << name;
    for (std::size_t label = 0; label < got.size(); ++label) EXPECT_NEAR(got[label], reference[label], 1e-4) << name;
    EXPECT_EQ(run({one}).at(one.id.value), got) << name;  // To the last bit.
  }
}

TEST_F(HeadsGolden, AreNamedByTheirFoldersAndLabelledByTheirConfiguration) {
  EXPECT_EQ(weights->heads()[0].name, "plain");
  EXPECT_EQ(weights->heads()[0].labels, (std::vector<std::string>{"LABEL_0", "LABEL_1"}));
  EXPECT_EQ(weights->heads()[1].name, "topic");
  EXPECT_EQ(weights->heads()[1].labels, (std::vector<std::string>{"animal", "food", "place", "time", "tool"}));
}

}  // namespace
}  // namespace sida::router
