#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/conformance/compute/operands.h"
#include "tests/conformance/compute/subjects.h"

namespace sida::compute {
namespace {

using GateConformance = BackendConformance;

constexpr DType kDtypes[] = {DType::kFloat32, DType::kBFloat16};

struct Choice {
  std::vector<float> probabilities;
  std::vector<std::int32_t> expert_ids;
  std::vector<float> weights;

  bool operator==(const Choice&) const = default;
};

Choice choose(Backend& backend, ConstRows x, const PackedMatrix& classifier, DType round_to,
              std::span<const float> bias = {}) {
  const auto rows = static_cast<std::size_t>(x.count);
  const auto experts = static_cast<std::size_t>(classifier.outputs);
  Choice choice{std::vector<float>(rows * experts), std::vector<std::int32_t>(rows), std::vector<float>(rows)};
  backend.gate({.x = x,
                .classifier = classifier,
                .bias = bias,
                .round_to = round_to,
                .probabilities = choice.probabilities,
                .expert_ids = choice.expert_ids,
                .weights = choice.weights});
  return choice;
}

std::vector<double> reference_probabilities(const OwnedRows& x, std::int64_t row, const OwnedMatrix& classifier,
                                            std::span<const float> bias) {
  std::vector<double> scores;
  for (std::int64_t expert = 0; expert < classifier.packed.outputs; ++expert) {
    double score = bias.empty() ? 0.0 : static_cast<double>(bias[static_cast<std::size_t>(expert)]);
    for (std::int64_t i = 0; i < classifier.packed.inputs; ++i) {
      score += static_cast<double>(x.at(row, i)) * static_cast<double>(classifier.plain.at(expert, i));
    }
    scores.push_back(score);
  }
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - largest);
  for (double& score : scores) score /= sum;
  return scores;
}

TEST_P(GateConformance, ProbabilitiesAreCloseToDoublePrecision) {
  Random random(1);
  for (std::int64_t experts : {1, 8, 17, 256}) {
    const OwnedMatrix classifier(random, experts, 64, DType::kFloat32, Values::kOrdinary);
    const auto bias = OwnedRows::random(random, 1, experts, DType::kFloat32, Values::kOrdinary);
    for (DType dtype : kDtypes) {
      const auto x = OwnedRows::random(random, 5, 64, dtype, Values::kOrdinary);
      for (std::span<const float> b :
           {std::span<const float>{}, std::span(bias.rows().f32(), static_cast<std::size_t>(experts))}) {
        const Choice choice = choose(*backend, x.rows(), classifier.packed, DType::kFloat32, b);
        for (std::int64_t row = 0; row < 5; ++row) {
          const auto expected = reference_probabilities(x, row, classifier, b);
          for (std::size_t expert = 0; expert < expected.size(); ++expert) {
            const auto got = choice.probabilities[static_cast<std::size_t>(row) * expected.size() + expert];
            ASSERT_NEAR(static_cast<double>(got), expected[expert], 1e-6 + 1e-4 * expected[expert]);
          }
        }
      }
    }
  }
}

// Scores of two experts that differ in fp32 and are equal once their probabilities are rounded to bf16.
TEST_P(GateConformance, RoundsBeforeTheArgmaxAndTheLowestIndexWinsATie) {
  Random random(2);
  OwnedMatrix classifier(random, 3, 2, DType::kFloat32, Values::kOrdinary);
  const float scores[3] = {0.0F, 3.0F, 3.0005F};
  for (std::int64_t expert = 0; expert < 3; ++expert) {
    classifier.plain.set(expert, 0, scores[expert]);
    classifier.plain.set(expert, 1, 0.0F);
  }
  pack(classifier.plain.rows().data, DType::kFloat32, 3, 2, DType::kFloat32,
       std::span(classifier.packed_bytes.data(), classifier.packed_bytes.size()));
  OwnedRows x(1, 2, DType::kFloat32);
  x.set(0, 0, 1.0F);

  EXPECT_EQ(choose(*backend, x.rows(), classifier.packed, DType::kFloat32).expert_ids[0], 2);
  const Choice rounded = choose(*backend, x.rows(), classifier.packed, DType::kBFloat16);
  EXPECT_EQ(rounded.expert_ids[0], 1);
  EXPECT_EQ(rounded.weights[0], round_to_bfloat16(rounded.probabilities[1]));
  EXPECT_NE(rounded.probabilities[1], rounded.probabilities[2]);
}

TEST_P(GateConformance, GivesTheBitsOfTheSpecification) {
  const auto scalar = specification();
  if (scalar == nullptr) GTEST_SKIP() << "this backend has a numerics id of its own";
  Random random(3);
  for (std::int64_t experts : {1, 8, 15, 16, 17, 33, 256}) {
    const OwnedMatrix classifier(random, experts, 77, DType::kFloat32, Values::kOrdinary);
    for (DType dtype : kDtypes) {
      const auto x = OwnedRows::random(random, 9, 77, dtype, Values::kOrdinary);
      EXPECT_EQ(choose(*backend, x.rows(), classifier.packed, dtype),
                choose(*scalar, x.rows(), classifier.packed, dtype));
    }
  }
}

TEST_P(GateConformance, NeitherOtherRowsNorThreadsChangeABit) {
  Random random(4);
  constexpr std::int64_t kRows = 40;
  const OwnedMatrix classifier(random, 256, 768, DType::kFloat32, Values::kOrdinary);
  const auto x = OwnedRows::random(random, kRows, 768, DType::kBFloat16, Values::kOrdinary);
  const Choice together = choose(*backend, x.rows(), classifier.packed, DType::kBFloat16);
  for (std::int64_t row = 0; row < kRows; ++row) {
    const Choice alone = choose(*backend, x.slice(row, 1), classifier.packed, DType::kBFloat16);
    const auto first = together.probabilities.begin() + row * 256;
    EXPECT_TRUE(std::equal(first, first + 256, alone.probabilities.begin()));
  }
  for (int threads : {2, 3}) {
    EXPECT_EQ(choose(*with_threads(threads), x.rows(), classifier.packed, DType::kBFloat16), together);
  }
}

TEST_P(GateConformance, NanStillChoosesAnExpert) {
  Random random(5);
  const OwnedMatrix classifier(random, 8, 16, DType::kFloat32, Values::kOrdinary);
  const auto x = OwnedRows::random(random, 20, 16, DType::kFloat32, Values::kNan);
  for (std::int32_t expert : choose(*backend, x.rows(), classifier.packed, DType::kBFloat16).expert_ids) {
    EXPECT_GE(expert, 0);
    EXPECT_LT(expert, 8);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, GateConformance, testing::ValuesIn(subjects()), subject_name);

}  // namespace
}  // namespace sida::compute
