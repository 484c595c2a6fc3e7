#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/conformance/compute/operands.h"
#include "tests/conformance/compute/subjects.h"

namespace sida::compute {
namespace {

using FfnConformance = BackendConformance;

constexpr DType kDtypes[] = {DType::kFloat32, DType::kBFloat16};

struct OwnedFfn {
  OwnedFfn(Random& random, std::int64_t d_model, std::int64_t d_ff, DType dtype, Values values)
      : wi(random, d_ff, d_model, dtype, values), wo(random, d_model, d_ff, dtype, values) {}
  [[nodiscard]] PackedFfn packed() const { return {wi.packed, wo.packed}; }
  OwnedMatrix wi, wo;
};

OwnedRows ffn(Backend& backend, ConstRows x, const OwnedFfn& weights, DType out) {
  OwnedRows y(x.count, x.columns, out);
  backend.ffn(x, weights.packed(), y.rows());
  return y;
}

// The two linear layers by the backend itself, the ReLU between them by hand.
OwnedRows by_hand(Backend& backend, ConstRows x, const OwnedFfn& weights, DType out) {
  OwnedRows inner(x.count, weights.wi.packed.outputs, weights.wi.packed.dtype);
  backend.linear(x, weights.wi.packed, inner.rows());
  for (std::int64_t row = 0; row < x.count; ++row) {
    for (std::int64_t i = 0; i < inner.rows().columns; ++i) {
      if (inner.at(row, i) < 0) inner.set(row, i, 0);
    }
  }
  OwnedRows y(x.count, x.columns, out);
  backend.linear(inner.rows(), weights.wo.packed, y.rows());
  return y;
}

TEST_P(FfnConformance, IsTwoLinearLayersWithReluAndOneRoundingBetween) {
  Random random(1);
  for (DType dtype : kDtypes) {
    for (Values values : {Values::kOrdinary, Values::kMagnitudes, Values::kTiny, Values::kNan}) {
      const OwnedFfn weights(random, 49, 131, dtype, values);
      const auto x = OwnedRows::random(random, 11, 49, dtype, values);
      for (DType out : kDtypes) {
        EXPECT_TRUE(
            same_bits(ffn(*backend, x.rows(), weights, out).rows(), by_hand(*backend, x.rows(), weights, out).rows()));
      }
    }
  }
}

TEST_P(FfnConformance, GivesTheBitsOfTheSpecification) {
  const auto scalar = specification();
  if (scalar == nullptr) GTEST_SKIP() << "this backend has a numerics id of its own";
  Random random(2);
  for (DType dtype : kDtypes) {
    const OwnedFfn weights(random, 64, 200, dtype, Values::kOrdinary);
    for (std::int64_t rows : {1, 2, 7, 16, 64}) {
      const auto x = OwnedRows::random(random, rows, 64, dtype, Values::kMagnitudes);
      for (DType out : kDtypes) {
        EXPECT_TRUE(
            same_bits(ffn(*backend, x.rows(), weights, out).rows(), ffn(*scalar, x.rows(), weights, out).rows()));
      }
    }
  }
}

TEST_P(FfnConformance, NeitherOtherRowsNorThreadsChangeABit) {
  Random random(3);
  constexpr std::int64_t kRows = 30;
  for (DType dtype : kDtypes) {
    const OwnedFfn weights(random, 256, 1100, dtype, Values::kOrdinary);
    const auto x = OwnedRows::random(random, kRows, 256, dtype, Values::kOrdinary);
    const auto together = ffn(*backend, x.rows(), weights, DType::kBFloat16);
    for (std::int64_t row = 0; row < kRows; row += 5) {
      EXPECT_TRUE(same_bits(together.slice(row, 1), ffn(*backend, x.slice(row, 1), weights, DType::kBFloat16).rows()));
    }
    for (int threads : {2, 3}) {
      const auto more = with_threads(threads);
      EXPECT_TRUE(same_bits(together.rows(), ffn(*more, x.rows(), weights, DType::kBFloat16).rows()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, FfnConformance, testing::ValuesIn(subjects()), subject_name);

}  // namespace
}  // namespace sida::compute
