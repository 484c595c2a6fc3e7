// Routing by the hash table, in whole clusters: an oracle's table gives the model's bits, and the same table the same
// bits.
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <tuple>
#include <vector>

#include "predictor/hash/oracle.h"
#include "tests/support/in_process_cluster.h"

namespace sida::router {
namespace {

using predictor::RecordedRoutes;
using sida::testing::InProcessCluster;
using std::chrono::milliseconds;
using Tokens = std::vector<std::int32_t>;

std::string model_directory(const std::string& name) {
  return std::string(SIDA_SOURCE_DIR) + "/tests/golden/cases/" + name + "/model";
}

constexpr std::int32_t kNewTokens = 10;

Job generating(Tokens source, RoutingMode mode) {
  GenerateJob work{.input_ids = std::move(source)};
  work.sampling.max_new_tokens = work.sampling.min_new_tokens = kNewTokens;
  return {.request = RequestId{1}, .work = work, .return_experts = true, .routing = mode};
}

Job scoring(Tokens source, Tokens target, RoutingMode mode) {
  return {.request = RequestId{1},
          .work = ScoreJob{std::move(source), std::move(target)},
          .return_experts = true,
          .routing = mode};
}

Tokens source_of(std::size_t count, std::int32_t seed) {
  Tokens tokens;
  for (std::size_t index = 0; index < count; ++index) {
    tokens.push_back(static_cast<std::int32_t>((index * 7 + static_cast<std::size_t>(seed) * 13 + 2) % 60));
  }
  return tokens;
}

Job searching(Tokens source, RoutingMode mode) {
  Job job = generating(std::move(source), mode);
  std::get<GenerateJob>(job.work).sampling.beam_search = BeamParams{.beams = 3, .returned = 2};
  return job;
}

// All that a client may compare to the last bit.
struct Answer {
  Tokens tokens;
  std::vector<float> logprobs;
  ExpertIds encoder;
  ExpertIds decoder;
  bool operator==(const Answer&) const = default;
};

Answer answer_of(const JobResult& result) {
  Answer answer{.logprobs = result.target_logprobs,
                .encoder = result.routing.encoder_experts,
                .decoder = result.routing.decoder_experts};
  for (const GeneratedToken& token : result.tokens) {
    answer.tokens.push_back(token.token);
    answer.logprobs.push_back(token.logprob);
  }
  return answer;
}

predictor::RecordedStack recorded(const ExpertIds& experts, const ExpertWeights& weights) {
  predictor::RecordedStack stack;
  for (const auto& layer : experts) stack.experts.emplace_back(layer.begin(), layer.end());
  stack.confidences = weights;
  return stack;
}

RecordedRoutes recorded(Tokens source, const Tokens& said, std::int32_t start_token, const RoutingReport& report) {
  Tokens input{start_token};
  input.insert(input.end(), said.begin(), said.end() - 1);
  return {.source = std::move(source),
          .decoder_input = std::move(input),
          .encoder = recorded(report.encoder_experts, report.encoder_weights),
          .decoder = recorded(report.decoder_experts, report.decoder_weights)};
}

predictor::HashFunctionInfo info_of(const model::ModelDirectory& model) {
  return {.encoder_layers = model.geometry().encoder_moe_layers,
          .decoder_layers = model.geometry().moe_layers() - model.geometry().encoder_moe_layers};
}

RoutingConfig routing(std::int64_t top_k, const std::string& weights) {
  RoutingConfig config;
  config.predicted_top_k = top_k;
  config.predicted_weights = weights;
  config.table_wait = milliseconds(60'000);  // These tests are about what comes in time.
  return config;
}

// The model, and per dtype: what it answers in exact mode and the routes that it took.
class TableRouting : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  TableRouting() : model(model::ModelDirectory::open(directory()).value()) {
    InProcessCluster cluster({.model = directory(), .workers = 2, .dtype = dtype()});
    const std::int32_t start = model.config().decoder_start_token_id;
    for (const auto& [source, target] : questions()) {
      const JobResult result = cluster.run(target.empty() ? generating(source, RoutingMode::kExact)
                                                          : scoring(source, target, RoutingMode::kExact));
      exact.push_back(answer_of(result));
      routes.push_back(recorded(source, target.empty() ? exact.back().tokens : target, start, result.routing));
    }
  }

  static std::string directory() { return model_directory(std::get<0>(GetParam())); }
  static std::string dtype() { return std::get<1>(GetParam()); }

  // Sources, and targets of those that are scored. Every source is another, so that an oracle can tell them apart.
  static std::vector<std::pair<Tokens, Tokens>> questions() {
    return {{source_of(9, 1), {}}, {source_of(70, 2), {}}, {source_of(1, 3), {}}, {source_of(12, 4), source_of(15, 5)}};
  }

  std::vector<JobResult> ask(InProcessCluster& cluster, RoutingMode mode) const {
    std::vector<JobResult> results;
    for (const auto& [source, target] : questions()) {
      results.push_back(cluster.run(target.empty() ? generating(source, mode) : scoring(source, target, mode)));
    }
    return results;
  }

  // All at once, so that they share steps.
  std::vector<JobResult> ask_together(InProcessCluster& cluster, RoutingMode mode) const {
    std::vector<std::promise<Result<JobResult>>> answered(questions().size());
    for (std::size_t index = 0; index < answered.size(); ++index) {
      const auto [source, target] = questions()[index];
      Job job = target.empty() ? generating(source, mode) : scoring(source, target, mode);
      job.request = RequestId{index + 1};
      job.done = [&answered, index](Result<JobResult> result) { answered[index].set_value(std::move(result)); };
      EXPECT_TRUE(cluster.engine().submit(std::move(job)));
    }
    std::vector<JobResult> results;
    for (auto& answer : answered) results.push_back(std::move(answer.get_future().get().value()));
    return results;
  }

  std::unique_ptr<predictor::HashFunction> oracle() const {
    return std::make_unique<predictor::Oracle>(info_of(model), routes);
  }

  model::ModelDirectory model;
  std::vector<Answer> exact;
  std::vector<RecordedRoutes> routes;
};

// capacity_4 drops tokens, experts_64 has many experts, both in both dtypes.
INSTANTIATE_TEST_SUITE_P(Models, TableRouting,
                         ::testing::Combine(::testing::Values("experts_64", "capacity_4"),
                                            ::testing::Values("fp32", "bf16")),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param)) + "_" + std::get<1>(tested.param);
                         });

TEST_P(TableRouting, AnOraclesTableGivesTheModelsBits) {
  for (const char* weights : {"renormalised", "gate"}) {
    InProcessCluster cluster({.model = directory(), .dtype = dtype(), .routing = routing(1, weights)}, oracle());
    const auto results = ask(cluster, RoutingMode::kPredicted);
    for (std::size_t index = 0; index < results.size(); ++index) {
      EXPECT_EQ(answer_of(results[index]), exact[index]) << weights << " question " << index;
      const RoutingReport& report = results[index].routing;
      EXPECT_EQ(report.late, 0U);
      EXPECT_EQ(report.by_table, report.predicted);
      EXPECT_EQ(report.agreed, report.compared);
      EXPECT_GT(report.by_table, 0U);
    }
  }
}

// A predictor keeps one state per sequence, and beams part: it is asked about the source only.
TEST_P(TableRouting, ABeamSearchsDecoderIsTheGates) {
  const Tokens source = questions().front().first;
  InProcessCluster plain({.model = directory(), .workers = 2, .dtype = dtype()});
  const JobResult expected = plain.run(searching(source, RoutingMode::kExact));
  InProcessCluster cluster({.model = directory(), .dtype = dtype(), .routing = routing(1, "gate")}, oracle());
  const JobResult found = cluster.run(searching(source, RoutingMode::kPredicted));
  ASSERT_EQ(found.beams.size(), 2U);
  for (std::size_t index = 0; index < 2; ++index) {
    EXPECT_EQ(found.beams[index].score, expected.beams[index].score);
    EXPECT_EQ(found.beams[index].rows, expected.beams[index].rows);
    ASSERT_EQ(found.beams[index].tokens.size(), static_cast<std::size_t>(kNewTokens));
  }
  EXPECT_EQ(found.routing.decoder_experts, expected.routing.decoder_experts);
  EXPECT_EQ(found.routing.decoder_experts.front().size(), 1U + 3 * (kNewTokens - 1)) << "one row, then one per beam";
  EXPECT_EQ(found.routing.late, 0U);
  EXPECT_EQ(found.routing.by_table, source.size() * static_cast<std::size_t>(model.geometry().encoder_moe_layers));
}

// As wrong as can be: another expert for everything, chosen by layer, token and rank.
class Wrong final : public predictor::HashFunction {
 public:
  Wrong(predictor::HashFunctionInfo info, std::int64_t experts) : info_(std::move(info)), experts_(experts) {
    info_.k_max = 3;
  }
  const predictor::HashFunctionInfo& info() const override { return info_; }
  std::vector<predictor::Beginning> begin(std::span<const predictor::Source> sources) override {
    std::vector<predictor::Beginning> all;
    for (const auto& source : sources) {
      all.push_back(
          {guess(source.tokens, source.k, info_.encoder_layers), std::make_unique<predictor::SequenceState>()});
    }
    return all;
  }
  std::vector<predictor::Predictions> advance(std::span<const predictor::DecoderInput> inputs) override {
    std::vector<predictor::Predictions> all;
    for (const auto& input : inputs) all.push_back(guess({&input.token, 1}, input.k, info_.decoder_layers));
    return all;
  }

 private:
  predictor::Predictions guess(std::span<const std::int32_t> tokens, std::uint8_t k, std::int32_t layers) const {
    predictor::Predictions all{
        static_cast<std::uint32_t>(layers), static_cast<std::uint32_t>(tokens.size()), k, {}, {}};
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      for (const std::int32_t token : tokens) {
        for (std::int64_t rank = 0; rank < k; ++rank) {
          all.experts.push_back(static_cast<std::int16_t>((token * 5 + layer * 3 + rank) % experts_));
          all.confidences.push_back(0.5F / static_cast<float>(rank + 1));
        }
      }
    }
    return all;
  }

  predictor::HashFunctionInfo info_;
  std::int64_t experts_;
};

std::vector<Answer> answers_of(const std::vector<JobResult>& results) {
  std::vector<Answer> answers;
  for (const JobResult& result : results) {
    EXPECT_EQ(result.routing.late, 0U);
    answers.push_back(answer_of(result));
  }
  return answers;
}

TEST_P(TableRouting, TheSameTableGivesTheSameBitsForAnyNumberOfWorkersAndInAnyBatch) {
  for (const char* weights : {"published", "renormalised", "gate"}) {
    std::vector<std::vector<Answer>> seen;
    for (const int workers : {1, 3}) {
      InProcessCluster cluster(
          {.model = directory(), .workers = workers, .dtype = dtype(), .routing = routing(3, weights)},
          std::make_unique<Wrong>(info_of(model), model.config().num_experts));
      seen.push_back(answers_of(ask(cluster, RoutingMode::kPredicted)));
      seen.push_back(answers_of(ask_together(cluster, RoutingMode::kPredicted)));
    }
    for (const auto& answers : seen) EXPECT_EQ(answers, seen.front()) << weights;
    EXPECT_NE(seen.front(), exact) << "the table was not used";
  }
}

TEST_P(TableRouting, AWrongTableChangesNothingInExactMode) {
  InProcessCluster cluster({.model = directory(), .dtype = dtype()},
                           std::make_unique<Wrong>(info_of(model), model.config().num_experts));
  const auto results = ask_together(cluster, RoutingMode::kExact);
  for (std::size_t index = 0; index < results.size(); ++index) EXPECT_EQ(answer_of(results[index]), exact[index]);
}

TEST_P(TableRouting, InGatedModeAnUnsureTableLeavesTheChoiceToTheGate) {
  RoutingConfig unsure = routing(1, "renormalised");
  unsure.gated_confidence = 0.6;  // Wrong is sure to 0.5.
  InProcessCluster cluster({.model = directory(), .dtype = dtype(), .routing = unsure},
                           std::make_unique<Wrong>(info_of(model), model.config().num_experts));
  const auto results = ask(cluster, RoutingMode::kGated);
  for (std::size_t index = 0; index < results.size(); ++index) {
    EXPECT_EQ(answer_of(results[index]), exact[index]);
    EXPECT_EQ(results[index].routing.by_table, 0U);
  }
}

// Answers nothing before it is let go.
class Stuck final : public predictor::HashFunction {
 public:
  Stuck(predictor::HashFunctionInfo info, std::shared_future<void> go) : info_(std::move(info)), go_(std::move(go)) {}
  const predictor::HashFunctionInfo& info() const override { return info_; }
  std::vector<predictor::Beginning> begin(std::span<const predictor::Source> sources) override {
    go_.wait();
    std::vector<predictor::Beginning> all;
    for (const auto& source : sources) {
      all.push_back(
          {nothing(source.tokens.size(), info_.encoder_layers), std::make_unique<predictor::SequenceState>()});
    }
    return all;
  }
  std::vector<predictor::Predictions> advance(std::span<const predictor::DecoderInput> inputs) override {
    return std::vector<predictor::Predictions>(inputs.size(), nothing(1, info_.decoder_layers));
  }

 private:
  static predictor::Predictions nothing(std::size_t tokens, std::int32_t layers) {
    const std::size_t entries = tokens * static_cast<std::size_t>(layers);
    return {static_cast<std::uint32_t>(layers), static_cast<std::uint32_t>(tokens), 1,
            std::vector<std::int16_t>(entries, -1), std::vector<float>(entries, 0)};
  }

  predictor::HashFunctionInfo info_;
  std::shared_future<void> go_;
};

TEST_P(TableRouting, WhatComesTooLateTheGateDecidesAndTheAnswerSaysSo) {
  std::promise<void> go;
  RoutingConfig hasty = routing(1, "gate");
  hasty.table_wait = milliseconds(5);
  InProcessCluster cluster({.model = directory(), .dtype = dtype(), .routing = hasty},
                           std::make_unique<Stuck>(info_of(model), go.get_future().share()));
  const JobResult result = cluster.run(generating(questions().front().first, RoutingMode::kPredicted));
  go.set_value();
  EXPECT_EQ(answer_of(result), exact.front());
  EXPECT_EQ(result.routing.late, result.routing.routed);
  EXPECT_EQ(result.routing.by_table, 0U);
}

TEST_P(TableRouting, WithoutAPredictorTheGateDecidesAndNothingIsLate) {
  InProcessCluster cluster({.model = directory(), .dtype = dtype(), .routing = routing(1, "gate")});
  const auto results = ask(cluster, RoutingMode::kPredicted);
  for (std::size_t index = 0; index < results.size(); ++index) {
    EXPECT_EQ(answer_of(results[index]), exact[index]);
    EXPECT_EQ(results[index].routing.late, 0U);
    EXPECT_EQ(results[index].routing.mode, RoutingMode::kPredicted);
  }
}

}  // namespace
}  // namespace sida::router
