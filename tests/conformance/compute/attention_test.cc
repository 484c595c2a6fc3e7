#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "common/compute/relative_position.h"
#include "tests/conformance/compute/operands.h"
#include "tests/conformance/compute/subjects.h"

namespace sida::compute {
namespace {

using AttentionConformance = BackendConformance;

struct Case {
  std::int64_t queries, keys, heads, head_dim, first_position;
  Direction direction;
  bool bias;
};

std::string describe(const Case& c) {
  return std::to_string(c.queries) + " queries " + std::to_string(c.keys) + " keys " + std::to_string(c.heads) +
         " heads of " + std::to_string(c.head_dim) + " from " + std::to_string(c.first_position) +
         (c.direction == Direction::kCausal ? " causal" : "") + (c.bias ? " biased" : "");
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (std::int64_t keys : {1, 2, 3, 4, 5, 15, 16, 17, 64, 129, 400}) {
    all.push_back({1, keys, 2, 64, keys - 1, Direction::kCausal, true});   // One decoder step.
    all.push_back({1, keys, 2, 64, 7, Direction::kBidirectional, false});  // Cross-attention of a step.
    all.push_back({3, keys, 1, 24, 0, Direction::kBidirectional, false});  // A head of odd blocks.
  }
  for (std::int64_t tokens : {2, 3, 4, 5, 9, 16, 33, 150}) {
    all.push_back({tokens, tokens, 2, 64, 0, Direction::kBidirectional, true});  // Encoder.
    all.push_back({tokens, tokens, 2, 16, 0, Direction::kCausal, true});         // Scoring.
    all.push_back({tokens, tokens + 20, 2, 64, 20, Direction::kCausal, true});   // A chunk behind a cache.
    all.push_back({tokens, tokens + 5, 1, 8, 40, Direction::kBidirectional, true});
  }
  return all;
}

// One sequence with its own memory.
struct OwnedSequence {
  OwnedSequence(Random& random, const Case& c, DType dtype, DType out_dtype, Values values = Values::kOrdinary)
      : shape(c),
        query(OwnedRows::random(random, c.queries, c.heads * c.head_dim, dtype, values)),
        key(OwnedRows::random(random, c.keys, c.heads * c.head_dim, dtype, values)),
        value(OwnedRows::random(random, c.keys, c.heads * c.head_dim, dtype, values)),
        bias(OwnedRows::random(random, kPositionBuckets, c.heads, DType::kFloat32, Values::kOrdinary)),
        out(c.queries, c.heads * c.head_dim, out_dtype) {}

  [[nodiscard]] Attention attention() { return attention_from(0, shape.queries); }
  // Queries [first, first + count) only.
  [[nodiscard]] Attention attention_from(std::int64_t first, std::int64_t count) {
    return {.query = query.slice(first, count),
            .key = key.slice(0, shape.keys),
            .value = value.slice(0, shape.keys),
            .position_bias = shape.bias ? bias.rows().f32() : nullptr,
            .direction = shape.direction,
            .first_position = shape.first_position + first,
            .heads = shape.heads,
            .out = {out.rows().row(first), count, shape.heads * shape.head_dim, out.rows().dtype}};
  }

  Case shape;
  OwnedRows query, key, value, bias, out;
};

// Weights of one query and head over the keys, in double precision.
std::vector<double> reference_weights(const OwnedSequence& s, std::int64_t query, std::int64_t head) {
  const Case& c = s.shape;
  const std::int64_t position = c.first_position + query;
  const std::int64_t visible = c.direction == Direction::kCausal ? std::min(c.keys, position + 1) : c.keys;
  std::vector<double> weights;
  for (std::int64_t key = 0; key < visible; ++key) {
    double score = 0;
    for (std::int64_t d = head * c.head_dim; d < (head + 1) * c.head_dim; ++d) {
      score += static_cast<double>(s.query.at(query, d)) * static_cast<double>(s.key.at(key, d));
    }
    if (c.bias) score += static_cast<double>(s.bias.at(relative_position_bucket(key - position, c.direction), head));
    weights.push_back(score);
  }
  const double largest = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (double& weight : weights) sum += weight = std::exp(weight - largest);
  for (double& weight : weights) weight /= sum;
  return weights;
}

void expect_close(const OwnedSequence& s) {
  const Case& c = s.shape;
  const double relative = s.out.rows().dtype == DType::kBFloat16 ? 0x1p-8 : 0;
  for (std::int64_t query = 0; query < c.queries; ++query) {
    for (std::int64_t head = 0; head < c.heads; ++head) {
      const auto weights = reference_weights(s, query, head);
      for (std::int64_t d = head * c.head_dim; d < (head + 1) * c.head_dim; ++d) {
        double expected = 0;
        for (std::size_t key = 0; key < weights.size(); ++key) {
          expected += weights[key] * static_cast<double>(s.value.at(static_cast<std::int64_t>(key), d));
        }
        ASSERT_NEAR(static_cast<double>(s.out.at(query, d)), expected, 2e-5 + relative * std::fabs(expected));
      }
    }
  }
}

TEST_P(AttentionConformance, IsCloseToDoublePrecision) {
  Random random(1);
  for (const Case& c : cases()) {
    for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      OwnedSequence sequence(random, c, dtype, dtype);
      const Attention attention = sequence.attention();
      backend->attention(std::span(&attention, 1));
      SCOPED_TRACE(describe(c));
      expect_close(sequence);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(AttentionConformance, GivesTheBitsOfTheSpecification) {
  const auto scalar = specification();
  if (scalar == nullptr) GTEST_SKIP() << "this backend has a numerics id of its own";
  Random random(2);
  for (const Case& c : cases()) {
    for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      for (Values values : {Values::kOrdinary, Values::kTiny, Values::kInfinite, Values::kNan}) {
        OwnedSequence sequence(random, c, dtype, DType::kFloat32, values);
        const Attention attention = sequence.attention();
        backend->attention(std::span(&attention, 1));
        const OwnedRows got = sequence.out.picked([&] {
          std::vector<std::int64_t> all;
          for (std::int64_t i = 0; i < c.queries; ++i) all.push_back(i);
          return all;
        }());
        scalar->attention(std::span(&attention, 1));
        ASSERT_TRUE(same_bits(got.rows(), sequence.attention().out)) << describe(c) << " " << name(dtype);
      }
    }
  }
}

// The cache holds the keys up to a token when that token is decoded; the full pass has all of them at once.
TEST_P(AttentionConformance, DecodeStepEqualsTheRowOfTheFullCausalPass) {
  Random random(3);
  constexpr std::int64_t kTokens = 70;
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    OwnedSequence full(random, {kTokens, kTokens, 3, 64, 0, Direction::kCausal, true}, dtype, DType::kFloat32);
    const Attention whole = full.attention();
    backend->attention(std::span(&whole, 1));
    for (std::int64_t token = 0; token < kTokens; ++token) {
      Attention step = full.attention_from(token, 1);
      step.key = full.key.slice(0, token + 1);
      step.value = full.value.slice(0, token + 1);
      OwnedRows out(1, 3 * 64, DType::kFloat32);
      step.out = out.rows();
      backend->attention(std::span(&step, 1));
      ASSERT_TRUE(same_bits(out.rows(), full.out.slice(token, 1))) << "token " << token;
    }
  }
}

TEST_P(AttentionConformance, QueryAloneEqualsQueryAmongOthers) {
  Random random(4);
  OwnedSequence s(random, {23, 23, 2, 64, 0, Direction::kBidirectional, true}, DType::kFloat32, DType::kBFloat16);
  const Attention whole = s.attention();
  backend->attention(std::span(&whole, 1));
  for (std::int64_t query = 0; query < 23; ++query) {
    Attention alone = s.attention_from(query, 1);
    OwnedRows out(1, 128, DType::kBFloat16);
    alone.out = out.rows();
    backend->attention(std::span(&alone, 1));
    EXPECT_TRUE(same_bits(out.rows(), s.out.slice(query, 1)));
  }
}

TEST_P(AttentionConformance, NeitherOtherSequencesNorThreadsChangeABit) {
  Random random(5);
  std::vector<OwnedSequence> sequences;
  for (const Case& c : cases()) sequences.emplace_back(random, c, DType::kFloat32, DType::kFloat32);
  std::vector<OwnedRows> alone;
  std::vector<Attention> together;
  for (OwnedSequence& s : sequences) {
    alone.emplace_back(s.shape.queries, s.shape.heads * s.shape.head_dim, DType::kFloat32);
    Attention one = s.attention();
    together.push_back(one);
    one.out = alone.back().rows();
    backend->attention(std::span(&one, 1));
  }
  for (int threads : {1, 2, 3}) {
    with_threads(threads)->attention(together);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      ASSERT_TRUE(same_bits(alone[i].rows(), sequences[i].attention().out)) << describe(sequences[i].shape);
    }
  }
}

TEST_P(AttentionConformance, NoKeysGiveZeros) {
  Random random(6);
  OwnedSequence s(random, {2, 0, 2, 16, 0, Direction::kBidirectional, false}, DType::kFloat32, DType::kFloat32);
  s.out.set(1, 3, 7.0F);
  const Attention attention = s.attention();
  backend->attention(std::span(&attention, 1));
  EXPECT_EQ(s.out.at(1, 3), 0.0F);
}

INSTANTIATE_TEST_SUITE_P(Backends, AttentionConformance, testing::ValuesIn(subjects()), subject_name);

}  // namespace
}  // namespace sida::compute
