#include "cli/evaluation/subject.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/evaluation/recall.h"
#include "cli/evaluation/recall_run.h"
#include "common/trace/trace_writer.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/traced_example.h"

namespace sida::cli {
namespace {

using ::testing::ElementsAre;

// Says of a source token t: expert t % 3; of the n-th decoder token: expert n % 3, in every layer.
class CountingFunction : public predictor::HashFunction {
 public:
  explicit CountingFunction(const trace::TraceHeader& header) : header_(header) { info_.k_max = 1; }
  const predictor::HashFunctionInfo& info() const override { return info_; }

  std::vector<predictor::Beginning> begin(std::span<const predictor::Source> sources) override {
    std::vector<predictor::Beginning> all;
    for (const auto& source : sources) {
      predictor::Predictions said{.layers = static_cast<std::uint32_t>(header_.encoder_layers),
                                  .tokens = static_cast<std::uint32_t>(source.tokens.size())};
      for (std::uint32_t layer = 0; layer < said.layers; ++layer) {
        for (const auto token : source.tokens) said.experts.push_back(static_cast<std::int16_t>(token % 3));
      }
      said.confidences.assign(said.experts.size(), 1);
      all.push_back({std::move(said), std::make_unique<Count>()});
    }
    return all;
  }

  std::vector<predictor::Predictions> advance(std::span<const predictor::DecoderInput> inputs) override {
    std::vector<predictor::Predictions> all;
    for (const auto& input : inputs) {
      auto& count = static_cast<Count&>(*input.state);
      inputs_.push_back(input.token);
      if (silent_in_decoders_) {
        all.emplace_back();
        continue;
      }
      const auto layers = static_cast<std::uint32_t>(header_.decoder_layers);
      all.push_back({layers, 1, 1, std::vector<std::int16_t>(layers, static_cast<std::int16_t>(count.seen++ % 3)),
                     std::vector<float>(layers, 1)});
    }
    return all;
  }

  std::vector<std::int32_t> inputs_;
  bool silent_in_decoders_ = false;  // As the published network.

 private:
  struct Count : predictor::SequenceState {
    int seen = 0;
  };
  trace::TraceHeader header_;
  predictor::HashFunctionInfo info_;
};

TEST(HashSubject, AsksAsThePredictorProcessAsks) {
  const auto header = test::trace_header();
  CountingFunction function(header);
  const auto subject = make_hash_subject(function, header);
  const auto named = subject->name_experts(std::vector{test::traced_sequence(header, 0)});
  EXPECT_THAT(named.at(0).encoder.experts, ElementsAre(1, 2, 0, 1, 1, 2, 0, 1));
  EXPECT_THAT(named.at(0).decoder.experts, ElementsAre(0, 1, 2));
  EXPECT_THAT(function.inputs_, ElementsAre(5, 11, 12)) << "the start token, then the target";
  EXPECT_EQ(subject->cost().source_tokens, 4U);
  EXPECT_EQ(subject->cost().target_tokens, 3U);
}

TEST(HashSubject, NamesNobodyWhereTheFunctionSaysNothingOfDecoders) {
  const auto header = test::trace_header();
  CountingFunction function(header);
  function.silent_in_decoders_ = true;
  const auto named = make_hash_subject(function, header)->name_experts(std::vector{test::traced_sequence(header, 0)});
  EXPECT_THAT(named.at(0).encoder.experts, ElementsAre(1, 2, 0, 1, 1, 2, 0, 1));
  EXPECT_THAT(named.at(0).decoder.experts, ElementsAre(-1, -1, -1));
}

TEST(OracleSubject, HitsEverything) {
  const auto header = test::trace_header(64);
  const auto sequence = test::traced_sequence(header, 1);
  const auto named = make_oracle_subject(header)->name_experts(std::vector{sequence});
  for (const Recall& layer : recall_of(header, sequence.encoder, named.at(0).encoder)) {
    EXPECT_EQ(layer.top1, layer.tokens);
    EXPECT_EQ(layer.top3, layer.tokens);
  }
}

TEST(OracleSubject, NamesTheGatesChoiceOnceAndFirst) {
  auto header = test::trace_header();
  header.encoder_layers = 1;
  header.decoder_layers = 0;
  trace::TracedSequence sequence;
  sequence.source = {5};
  sequence.encoder = {{{2}, {2}, {0, 2, 1}, {-1, -1, -2}}};
  EXPECT_THAT(make_oracle_subject(header)->name_experts(std::vector{sequence}).at(0).encoder.experts,
              ElementsAre(2, 0, 1));
}

TEST(CommonestSubject, NamesTheThreeMostChosen) {
  auto header = test::trace_header(4);
  header.encoder_layers = 1;
  header.decoder_layers = 1;
  const auto subject = make_commonest_subject({{1, 9, 5, 7}, {3, 0, 0, 2}}, header);
  trace::TracedSequence sequence;
  sequence.source = {5, 6};
  sequence.target = {7};
  const auto named = subject->name_experts(std::vector{sequence});
  EXPECT_THAT(named.at(0).encoder.experts, ElementsAre(1, 3, 2, 1, 3, 2));
  EXPECT_THAT(named.at(0).decoder.experts, ElementsAre(0, 3, 1));
}

TEST(MeasureRecall, GoesThroughTheWholeTrace) {
  const test::TemporaryDirectory directory;
  const auto header = test::trace_header();
  const auto path = directory.path() / "a.trace";
  auto writer = trace::TraceWriter::create(path, header);
  for (std::uint64_t ordinal = 0; ordinal < 34; ++ordinal) {
    ASSERT_TRUE(writer->append(test::traced_sequence(header, ordinal)));
  }
  ASSERT_TRUE(writer->finish());

  const auto summary = summarise(path);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->sequences, 34U);
  EXPECT_EQ(summary->target_tokens, 102U);
  EXPECT_EQ(summary->given.size(), 17U) << "those whose target was not the model's own";
  EXPECT_EQ(summary->dropped, 34U * 3) << "one token of every layer";

  const auto oracle = make_oracle_subject(header);
  const auto commonest = make_commonest_subject(summary->tokens_by_expert, header);
  const auto recall = measure_recall(path, {oracle.get(), commonest.get()});
  ASSERT_TRUE(recall);
  const Recall all = total(all_tasks(recall->at(0)).encoder);
  EXPECT_EQ(all.tokens, 2 * summary->source_tokens);
  EXPECT_EQ(all.top1, all.tokens);
  EXPECT_EQ(recall->at(0).size(), 2U) << "tasks";
  EXPECT_EQ(total(all_tasks(recall->at(1)).encoder).top3, all.tokens) << "three experts in all";
}

}  // namespace
}  // namespace sida::cli
