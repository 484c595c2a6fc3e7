#include "router/trunk/step_runner.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/local_experts.h"
#include "tests/support/temporary_directory.h"

namespace sida::router {
namespace {

// A step runner over a small model that Hugging Face wrote.
class StepRunnerTest : public ::testing::TestWithParam<DType> {
 protected:
  StepRunnerTest()
      : model(
            model::ModelDirectory::open(std::filesystem::path(SIDA_SOURCE_DIR) / "tests/golden/cases/experts_64/model")
                .value()),
        weights(TrunkWeights::load(model, {GetParam(), 4}).value()),
        backend(compute::make_cpu_backend({}).value()),
        experts(model, *backend, GetParam()),
        runner(weights, *backend, experts) {}

  std::vector<std::int32_t> tokens(std::size_t count, std::int32_t seed) const {
    std::vector<std::int32_t> ids;
    for (std::size_t index = 0; index < count; ++index) {
      ids.push_back(static_cast<std::int32_t>((static_cast<std::int64_t>(index) * 7 + seed * 13 + 2) %
                                              model.config().vocab_size));
    }
    return ids;
  }

  NewSequence generating(std::uint64_t id, std::size_t source, std::int32_t new_tokens) const {
    NewSequence sequence{.id = SequenceId{id}, .source = tokens(source, static_cast<std::int32_t>(id))};
    sequence.sampling.max_new_tokens = new_tokens;
    sequence.sampling.min_new_tokens = new_tokens;
    sequence.sampling.temperature = 0.7F;
    sequence.sampling.seed = id;
    return sequence;
  }

  NewSequence searching(std::uint64_t id, std::size_t source, std::int32_t new_tokens, std::int32_t width) const {
    NewSequence sequence{.id = SequenceId{id}, .source = tokens(source, static_cast<std::int32_t>(id))};
    sequence.sampling.max_new_tokens = new_tokens;
    sequence.sampling.min_new_tokens = new_tokens / 2;
    sequence.sampling.logprobs = 2;
    sequence.sampling.beam_search = BeamParams{.beams = width, .returned = width};
    return sequence;
  }

  NewSequence scoring(std::uint64_t id, std::size_t source, std::size_t target) const {
    return {.id = SequenceId{id},
            .source = tokens(source, static_cast<std::int32_t>(id)),
            .target = tokens(target, static_cast<std::int32_t>(id + 1))};
  }

  // Runs one step and keeps who is still running and what came out.
  void step(std::vector<NewSequence> encode) {
    TrunkStep next{.id = StepId{++steps}, .encode = std::move(encode)};
    for (const SequenceId id : running) next.decode.push_back(id);
    runner.start(std::move(next));
    experts.run_all();
    auto done = runner.take_done();
    ASSERT_TRUE(done);
    running.clear();
    for (SequenceOutcome& outcome : done->outcomes) {
      ASSERT_FALSE(outcome.error);
      if (!outcome.finished) running.push_back(outcome.id);
      if (outcome.token) generated[outcome.id.value].push_back(*outcome.token);
      if (!outcome.beams.empty()) beams[outcome.id.value] = outcome.beams;
      if (!outcome.target_logprobs.empty()) scores[outcome.id.value] = outcome.target_logprobs;
    }
  }

  void finish() {
    while (!running.empty()) step({});
  }

  model::ModelDirectory model;
  TrunkWeights weights;
  std::unique_ptr<compute::Backend> backend;
  sida::testing::LocalExperts experts;
  StepRunner runner;
  std::uint64_t steps = 0;
  std::vector<SequenceId> running;
  std::map<std::uint64_t, std::vector<GeneratedToken>> generated;
  std::map<std::uint64_t, std::vector<float>> scores;
  std::map<std::uint64_t, std::vector<BeamResult>> beams;
};

INSTANTIATE_TEST_SUITE_P(DTypes, StepRunnerTest, ::testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST_P(StepRunnerTest, ASequenceHasTheSameBitsAloneAndAmongOthersThatJoinAndLeave) {
  step({generating(1, 17, 9)});
  finish();
  step({scoring(2, 5, 12)});
  finish();
  const auto alone = generated.at(1);
  const auto scored_alone = scores.at(2);
  generated.clear();
  scores.clear();

  step({generating(3, 40, 12), generating(4, 1, 3)});
  step({generating(1, 17, 9)});
  step({scoring(2, 5, 12), generating(5, 9, 2)});
  finish();

  ASSERT_EQ(generated.at(1).size(), alone.size());
  for (std::size_t index = 0; index < alone.size(); ++index) {
    EXPECT_EQ(generated.at(1)[index].token, alone[index].token);
    EXPECT_EQ(generated.at(1)[index].logprob, alone[index].logprob);  // To the last bit.
  }
  EXPECT_EQ(scores.at(2), scored_alone);
  EXPECT_EQ(runner.sequences(), 0U);
}

void expect_equal(const std::vector<BeamResult>& found, const std::vector<BeamResult>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t index = 0; index < found.size(); ++index) {
    EXPECT_EQ(found[index].score, expected[index].score);  // To the last bit, as all of this.
    EXPECT_EQ(found[index].rows, expected[index].rows);
    ASSERT_EQ(found[index].tokens.size(), expected[index].tokens.size());
    for (std::size_t at = 0; at < found[index].tokens.size(); ++at) {
      const GeneratedToken& token = found[index].tokens[at];
      EXPECT_EQ(token.token, expected[index].tokens[at].token);
      EXPECT_EQ(token.logprob, expected[index].tokens[at].logprob);
      ASSERT_EQ(token.top.size(), 2U);
      EXPECT_EQ(token.top[1].logprob, expected[index].tokens[at].top[1].logprob);
    }
  }
}

TEST_P(StepRunnerTest, ABeamSearchHasTheSameBitsAloneAndAmongOthers) {
  step({searching(1, 17, 12, 4)});
  finish();
  step({searching(2, 9, 6, 20)});
  finish();
  const auto alone = beams;
  ASSERT_EQ(alone.at(1).size(), 4U);
  beams.clear();
  step({generating(3, 40, 12), searching(2, 9, 6, 20), generating(4, 1, 3)});
  step({searching(1, 17, 12, 4)});
  step({scoring(6, 5, 12), generating(5, 9, 2)});
  finish();
  expect_equal(beams.at(1), alone.at(1));
  expect_equal(beams.at(2), alone.at(2));
  EXPECT_EQ(runner.sequences(), 0U);
}

// A beam's self-attention cache is that of its own tokens, whichever beams it came from: scoring them anew says so.
TEST_P(StepRunnerTest, ABeamsTokensAreAsLikelyAsWhenTheyAreScored) {
  // Without a capacity, which counts along a target that is scored, and never drops one row of a step.
  const TrunkWeights roomy = TrunkWeights::load(model, {GetParam(), 0}).value();
  StepRunner apart(roomy, *backend, experts);
  const auto run = [&](NewSequence sequence) {
    const SequenceId id = sequence.id;
    TrunkStep next{.id = StepId{++steps}, .encode = {std::move(sequence)}};
    while (true) {
      apart.start(std::move(next));
      experts.run_all();
      SequenceOutcome outcome = std::move(apart.take_done()->outcomes.front());
      if (outcome.finished) return outcome;
      next = TrunkStep{.id = StepId{++steps}, .decode = {id}};
    }
  };
  for (const BeamResult& beam : run(searching(1, 17, 10, 6)).beams) {
    NewSequence target{.id = SequenceId{2}, .source = tokens(17, 1)};
    for (const GeneratedToken& token : beam.tokens) target.target.push_back(token.token);
    const auto scored = run(target).target_logprobs;
    ASSERT_EQ(scored.size(), beam.tokens.size());
    for (std::size_t at = 0; at < scored.size(); ++at) {
      EXPECT_NEAR(scored[at], beam.tokens[at].logprob, GetParam() == DType::kFloat32 ? 1e-4 : 0.05);
    }
  }
}

TEST_P(StepRunnerTest, DecodesOthersBetweenTheLayersOfALongSource) {
  step({generating(1, 4, 50)});
  runner.start({.id = StepId{100}, .encode = {generating(2, 300, 1)}});
  for (int token = 0; token < 3; ++token) {
    runner.start({.id = StepId{101}, .decode = {SequenceId{1}}});
    std::optional<StepDone> done;
    while (!done && experts.run_one()) done = runner.take_done();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->id, StepId{101}) << "the long source takes longer";
  }
  experts.run_all();
  EXPECT_GT(experts.pauses(), 0U) << "it lets others through between its sub-layers";
  EXPECT_EQ(runner.take_done()->id, StepId{100});
}

// Entries that say `experts` for every row and layer of a stack, `confidences` each.
TableRows same_for_all(LayerId first_layer, std::uint32_t rows, std::vector<std::int16_t> experts,
                       std::vector<float> confidences) {
  TableRows table{
      .first_layer = first_layer, .layers = 1, .rows = rows, .k = static_cast<std::uint32_t>(experts.size())};
  for (std::uint32_t row = 0; row < rows; ++row) {
    table.experts.insert(table.experts.end(), experts.begin(), experts.end());
    table.confidences.insert(table.confidences.end(), confidences.begin(), confidences.end());
  }
  return table;
}

TEST_P(StepRunnerTest, SeveralExpertsOfARowAreSummedByTheirWeights) {
  const auto first_token = [&](std::vector<std::int16_t> which, std::vector<float> confidences) {
    StepRunner routed(weights, *backend, experts, {.weights = TableWeights::kRenormalised});
    NewSequence sequence = generating(1, 9, 5);
    sequence.routing = RoutingMode::kPredicted;
    TrunkStep encode{.id = StepId{1}, .encode = {sequence}};
    encode.tables[sequence.id] = same_for_all(LayerId{0}, 9, which, confidences);
    routed.start(std::move(encode));
    experts.run_all();
    EXPECT_TRUE(routed.take_done());
    TrunkStep decode{.id = StepId{2}, .decode = {sequence.id}};
    decode.tables[sequence.id] = same_for_all(LayerId{1}, 1, which, confidences);
    routed.start(std::move(decode));
    experts.run_all();
    return routed.take_done()->outcomes.front().token->logprob;
  };
  const float one = first_token({3}, {0.5F});
  EXPECT_EQ(first_token({3, -1}, {0.5F, 0}), one);                            // The same single product.
  EXPECT_NEAR(first_token({3, 3}, {0.5F, 0.5F}), one, 1e-5);                  // Two halves of it.
  EXPECT_NE(first_token({3, 5}, {0.5F, 0.5F}), one);                          // Half of it, and half of another.
  EXPECT_EQ(first_token({3, 5}, {0.5F, 0}), first_token({3, 7}, {0.5F, 0}));  // What weighs nothing changes nothing.
}

TEST_P(StepRunnerTest, ForgetsAReleasedSequence) {
  step({generating(1, 4, 50)});
  ASSERT_EQ(runner.sequences(), 1U);
  runner.start({.id = StepId{99}, .release = {SequenceId{1}}});
  EXPECT_TRUE(runner.take_done());
  EXPECT_EQ(runner.sequences(), 0U);
}

// Overwrites the decoder's last norm with not-a-numbers: a file that is well-formed and yet useless.
void spoil_last_norm(const std::filesystem::path& directory) {
  const auto model = model::ModelDirectory::open(directory).value();
  const auto& info = model.tensor("decoder.final_layer_norm.weight");
  std::fstream file(model.weights().files()[info.file], std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(info.offset));
  file << std::string(info.bytes, '\xff');
}

TEST(StepRunner, ScoresThatAreNotFiniteAreAnErrorAndNoAnswer) {
  const sida::test::TemporaryDirectory copy;
  std::filesystem::copy(std::filesystem::path(SIDA_SOURCE_DIR) / "tests/golden/cases/base/model", copy.path(),
                        std::filesystem::copy_options::recursive);
  spoil_last_norm(copy.path());
  const auto model = model::ModelDirectory::open(copy.path()).value();
  const auto weights = TrunkWeights::load(model, {DType::kFloat32, 64}).value();
  const auto backend = compute::make_cpu_backend({}).value();
  sida::testing::LocalExperts experts(model, *backend, DType::kFloat32);
  StepRunner runner(weights, *backend, experts);
  runner.start({.id = StepId{1}, .encode = {{.id = SequenceId{1}, .source = {5, 1}}}});
  experts.run_all();
  ASSERT_TRUE(runner.take_done());
  runner.start({.id = StepId{2}, .decode = {SequenceId{1}}});
  experts.run_all();
  const auto done = runner.take_done();
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->outcomes.front().error);
  EXPECT_FALSE(done->outcomes.front().token);
  EXPECT_EQ(runner.sequences(), 0U);
}

TEST(DropOverCapacity, CountsInTokenOrderWithinEachSequence) {
  std::vector<std::int32_t> experts{0, 0, 1, 0, /* next sequence */ 0, 0, 0};
  const std::vector<std::int64_t> rows{4, 3};
  drop_over_capacity(experts, 1, rows, 2, 2);
  EXPECT_EQ(experts, (std::vector<std::int32_t>{0, 0, 1, -1, 0, 0, -1}));
}

}  // namespace
}  // namespace sida::router
