#include "predictor/core/predictor_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::predictor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using transport::PeerId;

constexpr PeerId kRouter{1};
constexpr PeerId kOtherRouter{2};

HashFunctionInfo two_layers_each() {
  HashFunctionInfo info{.kind = "test", .encoder_layers = 2, .decoder_layers = 2, .k_max = 2};
  info.predictor.fill(9);
  return info;
}

proto::Fingerprint served_fingerprint() {
  proto::Fingerprint fingerprint{};
  fingerprint.fill(5);
  return fingerprint;
}

// Every expert is numbered, so that an answer shows which it is.
Predictions numbered(std::uint32_t layers, std::uint32_t tokens, std::uint8_t k) {
  Predictions predictions{layers, tokens, k, {}, {}};
  for (std::uint32_t i = 0; i < layers * tokens * k; ++i) predictions.experts.push_back(static_cast<std::int16_t>(i));
  predictions.confidences.assign(predictions.experts.size(), 0.5F);
  return predictions;
}

class PredictorCoreTest : public testing::Test {
 protected:
  PredictorCore make(PredictorLimits limits = {}) {
    return {PredictorIdentity{.incarnation = WorkerId{77}, .name = "p", .model = served_fingerprint()},
            two_layers_each(), limits};
  }
  proto::Hello hello(std::uint64_t router = 10) {
    proto::Hello message;
    message.router = RouterId{router};
    message.model = served_fingerprint();
    return message;
  }
  // A core that has greeted kRouter.
  PredictorCore greeted(PredictorLimits limits = {}) {
    PredictorCore core = make(limits);
    core.received(kRouter, hello(), now_);
    return core;
  }
  static proto::Predict predict(std::uint64_t sequence, std::size_t tokens, std::uint8_t k = 1) {
    return {SequenceId{sequence}, std::vector<std::int32_t>(tokens, 3), k};
  }
  static const proto::Message& message_of(const PredictorAction& action) { return std::get<Send>(action).message; }
  static const proto::HashTableEntries& entries_of(const PredictorAction& action) {
    return std::get<proto::HashTableEntries>(message_of(action));
  }
  // Takes the work and answers it.
  static PredictorActions work(PredictorCore& core) {
    const Work work = core.take_work();
    std::vector<Predictions> sources;
    std::vector<Predictions> steps;
    for (const auto& source : work.sources) {
      sources.push_back(numbered(2, static_cast<std::uint32_t>(source.tokens.size()), source.k));
    }
    for (const auto& step : work.steps) steps.push_back(numbered(2, 1, step.k));
    return core.finished(work, std::move(sources), std::move(steps));
  }

  TimePoint now_{seconds(1000)};
};

TEST_F(PredictorCoreTest, WelcomesARouterOfTheSameModel) {
  PredictorCore core = make();
  const auto actions = core.received(kRouter, hello(), now_);
  ASSERT_THAT(actions, SizeIs(1));
  const auto& welcome = std::get<proto::Welcome>(message_of(actions[0]));
  EXPECT_EQ(welcome.worker, WorkerId{77});
  EXPECT_EQ(welcome.name, "p");
  EXPECT_EQ(welcome.model, served_fingerprint());
  EXPECT_EQ(welcome.predictor, two_layers_each().predictor);
}

TEST_F(PredictorCoreTest, TellsWhichLayersItNamesWhenItSaysNothingOfTheDecoder) {
  PredictorCore core = make();
  EXPECT_THAT(std::get<proto::Welcome>(message_of(core.received(kRouter, hello(), now_).at(0))).covered_layers,
              IsEmpty());
  HashFunctionInfo encoder_only = two_layers_each();
  encoder_only.names_decoder = false;
  PredictorCore other({.incarnation = WorkerId{78}, .model = served_fingerprint()}, encoder_only, {});
  EXPECT_THAT(std::get<proto::Welcome>(message_of(other.received(kRouter, hello(), now_).at(0))).covered_layers,
              ElementsAre(LayerId{0}, LayerId{1}));
}

TEST_F(PredictorCoreTest, WelcomesARouterAgainThatDidNotHearIt) {
  PredictorCore core = greeted();
  EXPECT_TRUE(std::holds_alternative<proto::Welcome>(message_of(core.received(kRouter, hello(), now_).at(0))));
  EXPECT_EQ(core.routers(), 1U);
}

TEST_F(PredictorCoreTest, RefusesARouterOfAnotherModelAndSaysWhatToDo) {
  PredictorCore core = make();
  proto::Hello other = hello();
  other.model.fill(6);
  const auto actions = core.received(kRouter, other, now_);
  ASSERT_THAT(actions, SizeIs(1));
  const auto& refuse = std::get<proto::Refuse>(message_of(actions[0]));
  EXPECT_EQ(refuse.code, ErrorCode::kMismatch);
  EXPECT_THAT(refuse.message, HasSubstr("start both with the same --model"));
  EXPECT_EQ(core.routers(), 0U);
}

TEST_F(PredictorCoreTest, IsSilentTowardsStrangers) {
  PredictorCore core = make();
  EXPECT_THAT(core.received(kRouter, predict(1, 3), now_), IsEmpty());
  EXPECT_THAT(core.received(kRouter, proto::Heartbeat{}, now_), IsEmpty());
  EXPECT_TRUE(core.take_work().empty());
  EXPECT_EQ(core.counters().ignored_messages, 2U);
}

TEST_F(PredictorCoreTest, GivesNoAnswerToRoutersBeyondTheLimit) {
  PredictorCore core = greeted({.routers_max = 1});
  EXPECT_THAT(core.received(kOtherRouter, hello(11), now_), IsEmpty());
  EXPECT_THAT(core.received(kRouter, hello(), now_), SizeIs(1));
}

TEST_F(PredictorCoreTest, IgnoresMessagesThatAreNotForPredictors) {
  PredictorCore core = greeted();
  EXPECT_THAT(core.received(kRouter, proto::Dispatch{}, now_), IsEmpty());
  EXPECT_EQ(core.counters().ignored_messages, 1U);
}

TEST_F(PredictorCoreTest, BatchesWhatWaits) {
  PredictorCore core = greeted();
  core.received(kOtherRouter, hello(11), now_);
  core.received(kRouter, predict(1, 3), now_);
  core.received(kOtherRouter, predict(1, 5), now_);
  const Work work = core.take_work();
  ASSERT_THAT(work.sources, SizeIs(2));
  EXPECT_EQ(work.sources[0].key, (SequenceKey{kRouter, SequenceId{1}}));
  EXPECT_EQ(work.sources[1].key, (SequenceKey{kOtherRouter, SequenceId{1}}));
  EXPECT_TRUE(core.take_work().empty());
}

TEST_F(PredictorCoreTest, EndsABatchAtItsTokenLimit) {
  PredictorCore core = greeted({.batch_tokens_max = 10});
  for (std::uint64_t sequence : {1, 2, 3}) core.received(kRouter, predict(sequence, 6), now_);
  core.received(kRouter, predict(4, 4), now_);
  EXPECT_THAT(core.take_work().sources, SizeIs(1));
  EXPECT_THAT(core.take_work().sources, SizeIs(1));
  EXPECT_THAT(core.take_work().sources, SizeIs(2));
}

TEST_F(PredictorCoreTest, TakesASourceBeyondTheTokenLimitAlone) {
  PredictorCore core = greeted({.batch_tokens_max = 10});
  core.received(kRouter, predict(1, 100), now_);
  core.received(kRouter, predict(2, 1), now_);
  EXPECT_THAT(core.take_work().sources, SizeIs(1));
  EXPECT_THAT(core.take_work().sources, SizeIs(1));
}

TEST_F(PredictorCoreTest, AnswersASourceInChunksOfTokens) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(8, 70, 2), now_);
  const auto actions = work(core);
  ASSERT_THAT(actions, SizeIs(2));
  const auto& first = entries_of(actions[0]);
  EXPECT_EQ(first.sequence, SequenceId{8});
  EXPECT_EQ(first.model, served_fingerprint());
  EXPECT_EQ(first.predictor, two_layers_each().predictor);
  EXPECT_EQ(first.first_layer, LayerId{0});
  EXPECT_EQ(first.layers, 2U);
  EXPECT_EQ(first.first_token, 0U);
  EXPECT_EQ(first.tokens, 64U);
  EXPECT_THAT(first.experts, SizeIs(2 * 64 * 2));
  EXPECT_EQ(first.experts[0], 0);
  EXPECT_EQ(first.experts[128], 140);  // The second layer begins after 70 tokens of two experts.
  const auto& second = entries_of(actions[1]);
  EXPECT_EQ(second.first_token, 64U);
  EXPECT_EQ(second.tokens, 6U);
  EXPECT_THAT(second.experts, ElementsAre(128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139,  //
                                          268, 269, 270, 271, 272, 273, 274, 275, 276, 277, 278, 279));
}

TEST_F(PredictorCoreTest, GivesAtMostTheExpertsThatTheFunctionNames) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(1, 1, 8), now_);
  EXPECT_EQ(entries_of(work(core).at(0)).k, 2);
}

TEST_F(PredictorCoreTest, AnswersADecoderTokenInTheDecodersLayers) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(1, 1), now_);
  core.received(kRouter, proto::Advance{SequenceId{1}, 0, 42, 1}, now_);
  work(core);  // The source.
  const auto actions = work(core);
  ASSERT_THAT(actions, SizeIs(1));
  const auto& entries = entries_of(actions[0]);
  EXPECT_EQ(entries.first_layer, LayerId{2});
  EXPECT_EQ(entries.layers, 2U);
  EXPECT_EQ(entries.first_token, 0U);
  EXPECT_EQ(entries.tokens, 1U);
  EXPECT_THAT(entries.experts, ElementsAre(0, 1));
}

TEST_F(PredictorCoreTest, IgnoresDecoderTokensOfUnknownSequencesAndRepeatedOnes) {
  PredictorCore core = greeted();
  core.received(kRouter, proto::Advance{SequenceId{1}, 0, 42, 1}, now_);
  EXPECT_TRUE(core.take_work().empty());
  core.received(kRouter, predict(1, 1), now_);
  work(core);
  core.received(kRouter, proto::Advance{SequenceId{1}, 0, 42, 1}, now_);
  core.received(kRouter, proto::Advance{SequenceId{1}, 0, 42, 1}, now_);
  EXPECT_THAT(core.take_work().steps, SizeIs(1));
}

TEST_F(PredictorCoreTest, TakesStepsBeforeSourcesThatCameBefore) {
  PredictorCore core = greeted({.batch_tokens_max = 4});
  core.received(kRouter, predict(1, 1), now_);
  work(core);
  for (std::uint64_t sequence : {2, 3}) core.received(kRouter, predict(sequence, 4), now_);
  core.received(kRouter, proto::Advance{SequenceId{1}, 0, 42, 1}, now_);
  const Work work = core.take_work();
  EXPECT_THAT(work.steps, SizeIs(1));
  EXPECT_THAT(work.sources, SizeIs(1));
}

TEST_F(PredictorCoreTest, StepsWaitForTheirSource) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(1, 1), now_);
  core.received(kRouter, proto::Advance{SequenceId{1}, 0, 42, 1}, now_);
  core.received(kRouter, proto::Advance{SequenceId{1}, 1, 43, 1}, now_);
  EXPECT_THAT(core.take_work().steps, IsEmpty());
  const Work second = core.take_work();
  ASSERT_THAT(second.steps, SizeIs(2));
  EXPECT_EQ(second.steps[0].token, 42);
}

TEST_F(PredictorCoreTest, EndsABatchOfStepsAtItsTokenLimit) {
  PredictorCore core = greeted({.batch_tokens_max = 2});
  core.received(kRouter, predict(1, 1), now_);
  work(core);
  for (std::uint32_t position : {0, 1, 2}) {
    core.received(kRouter, proto::Advance{SequenceId{1}, position, 42, 1}, now_);
  }
  EXPECT_THAT(core.take_work().steps, SizeIs(2));
  const Work rest = core.take_work();
  ASSERT_THAT(rest.steps, SizeIs(1));
  EXPECT_EQ(rest.steps[0].position, 2U);
}

TEST_F(PredictorCoreTest, DoesNoWorkForForgottenSequences) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(1, 3), now_);
  const auto actions = core.received(kRouter, proto::Forget{SequenceId{1}}, now_);
  ASSERT_THAT(actions, SizeIs(1));
  EXPECT_EQ(std::get<DropState>(actions[0]).key, (SequenceKey{kRouter, SequenceId{1}}));
  EXPECT_TRUE(core.take_work().empty());
  EXPECT_EQ(core.sequences(), 0U);
}

// The step that waits belongs to a state that was dropped; the new one does not exist before its source is worked on.
TEST_F(PredictorCoreTest, DoesNoStepOfASequenceThatHasBegunAnew) {
  PredictorCore core = greeted({.batch_tokens_max = 1});
  core.received(kRouter, predict(1, 1), now_);
  work(core);
  core.received(kRouter, proto::Advance{SequenceId{1}, 0, 42, 1}, now_);
  core.received(kRouter, proto::Forget{SequenceId{1}}, now_);
  core.received(kRouter, predict(1, 1), now_);
  core.received(kRouter, proto::Advance{SequenceId{1}, 0, 43, 1}, now_);
  const Work first = core.take_work();
  EXPECT_THAT(first.steps, IsEmpty());
  EXPECT_THAT(first.sources, SizeIs(1));
  const Work last = core.take_work();
  ASSERT_THAT(last.steps, SizeIs(1));
  EXPECT_EQ(last.steps[0].token, 43);
}

TEST_F(PredictorCoreTest, DoesTheNewestSourceOfASequenceOnly) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(1, 3), now_);
  core.received(kRouter, predict(1, 5), now_);
  const Work work = core.take_work();
  ASSERT_THAT(work.sources, SizeIs(1));
  EXPECT_THAT(work.sources[0].tokens, SizeIs(5));
}

TEST_F(PredictorCoreTest, DropsWhatExceedsTheWaitingTokens) {
  PredictorCore core = greeted({.waiting_tokens_max = 10});
  core.received(kRouter, predict(1, 8), now_);
  core.received(kRouter, predict(2, 8), now_);
  core.received(kRouter, predict(3, 2), now_);
  EXPECT_EQ(core.counters().dropped_overload, 1U);
  EXPECT_THAT(core.take_work().sources, SizeIs(2));
  core.received(kRouter, predict(2, 8), now_);
  EXPECT_THAT(core.take_work().sources, SizeIs(1));
}

TEST_F(PredictorCoreTest, DropsTheStateThatMakesRoom) {
  PredictorCore core = greeted({.sequences_max = 1});
  core.received(kRouter, predict(1, 1), now_);
  const auto actions = core.received(kRouter, predict(2, 1), now_);
  ASSERT_THAT(actions, SizeIs(1));
  EXPECT_EQ(std::get<DropState>(actions[0]).key.sequence, SequenceId{1});
}

TEST_F(PredictorCoreTest, DropsTheStateOfIdleSequences) {
  PredictorCore core = greeted({.router_silence_max = seconds(1000), .sequence_idle_max = seconds(60)});
  core.received(kRouter, predict(1, 1), now_);
  core.tick(now_);
  const auto actions = core.tick(now_ + seconds(61));
  ASSERT_THAT(actions, SizeIs(2));
  EXPECT_EQ(std::get<DropState>(actions[0]).key.sequence, SequenceId{1});
}

TEST_F(PredictorCoreTest, SendsHeartbeatsToEveryRouterAtTheInterval) {
  PredictorCore core = greeted();
  core.received(kOtherRouter, hello(11), now_);
  EXPECT_THAT(core.tick(now_), SizeIs(2));
  EXPECT_THAT(core.tick(now_ + milliseconds(99)), IsEmpty());
  EXPECT_EQ(core.next_tick(), now_ + kHeartbeatInterval);
  EXPECT_THAT(core.tick(now_ + kHeartbeatInterval), SizeIs(2));
}

TEST_F(PredictorCoreTest, ShowsProgressWhileItIsBusy) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(1, 1), now_);
  const auto first = std::get<proto::Heartbeat>(message_of(core.tick(now_).at(0)));
  EXPECT_TRUE(first.busy);
  work(core);
  const auto second = std::get<proto::Heartbeat>(message_of(core.tick(now_ + kHeartbeatInterval).at(0)));
  EXPECT_FALSE(second.busy);
  EXPECT_GT(second.progress, first.progress);
}

TEST_F(PredictorCoreTest, ForgetsARouterThatIsSilent) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(1, 1), now_);
  core.received(kRouter, proto::Heartbeat{}, now_ + seconds(5));
  core.tick(now_ + seconds(15));
  EXPECT_EQ(core.routers(), 1U);
  const auto actions = core.tick(now_ + seconds(16));
  EXPECT_EQ(core.routers(), 0U);
  EXPECT_EQ(core.sequences(), 0U);
  ASSERT_THAT(actions, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<DropState>(actions[0]));
}

TEST_F(PredictorCoreTest, ForgetsTheSequencesOfAnEarlierIncarnation) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(1, 1), now_);
  const auto actions = core.received(kRouter, hello(12), now_);
  ASSERT_THAT(actions, SizeIs(2));
  EXPECT_TRUE(std::holds_alternative<DropState>(actions[0]));
  EXPECT_TRUE(std::holds_alternative<proto::Welcome>(message_of(actions[1])));
}

TEST_F(PredictorCoreTest, ForgetsARouterThatTheLinkFoundGone) {
  PredictorCore core = greeted();
  core.received(kRouter, predict(1, 1), now_);
  EXPECT_THAT(core.router_gone(kRouter), SizeIs(1));
  EXPECT_EQ(core.routers(), 0U);
  EXPECT_TRUE(core.take_work().empty());
}

TEST_F(PredictorCoreTest, ReportsWhatItHoldsAndHasDoneToEveryRouter) {
  PredictorCore core = greeted({.sequences_max = 1});
  core.received(kOtherRouter, hello(11), now_);
  core.received(kRouter, predict(1, 3), now_);
  core.received(kRouter, predict(2, 3), now_);  // The first one makes room.
  work(core);
  core.received(kRouter, proto::Advance{SequenceId{2}, 0, 42, 1}, now_);
  work(core);
  const auto actions = core.report({.sources = milliseconds(2), .up = seconds(1)}, {1, 2, 3});
  ASSERT_THAT(actions, SizeIs(2));
  const auto& report = std::get<proto::PredictorReport>(message_of(actions[0]));
  EXPECT_EQ(report.sequences, 1U);
  EXPECT_EQ(report.sources, 1U);
  EXPECT_EQ(report.source_batches, 1U);
  EXPECT_EQ(report.steps, 1U);
  EXPECT_EQ(report.entries, 2U * 3 + 2);
  EXPECT_EQ(report.expired, 1U);
  EXPECT_EQ(report.source_micros, 2000U);
  EXPECT_EQ(report.uptime_micros, 1'000'000U);
  EXPECT_EQ(report.faults, (proto::LinkFaults{1, 2, 3}));
}

TEST_F(PredictorCoreTest, TellsItsRoutersThatItLeaves) {
  const auto actions = greeted().drain();
  ASSERT_THAT(actions, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<proto::Draining>(message_of(actions[0])));
}

}  // namespace
}  // namespace sida::predictor
