#include <cmath>
#include <cstdint>

#include "tests/conformance/compute/operands.h"
#include "tests/conformance/compute/subjects.h"

namespace sida::compute {
namespace {

using RmsNormConformance = BackendConformance;

constexpr float kEpsilon = 1e-6F;
constexpr DType kDtypes[] = {DType::kFloat32, DType::kBFloat16};
constexpr std::int64_t kColumns[] = {1, 2, 15, 16, 17, 31, 33, 100, 768, 1000};

OwnedRows rms_norm(Backend& backend, ConstRows x, const OwnedRows& weight, DType out) {
  OwnedRows y(x.count, x.columns, out);
  backend.rms_norm(x, weight.rows().f32(), kEpsilon, y.rows());
  return y;
}

TEST_P(RmsNormConformance, IsCloseToDoublePrecision) {
  Random random(1);
  for (std::int64_t columns : kColumns) {
    const auto x = OwnedRows::random(random, 3, columns, DType::kFloat32, Values::kOrdinary);
    const auto weight = OwnedRows::random(random, 1, columns, DType::kFloat32, Values::kOrdinary);
    for (DType out : kDtypes) {
      const auto y = rms_norm(*backend, x.rows(), weight, out);
      for (std::int64_t row = 0; row < 3; ++row) {
        double squares = 0;
        for (std::int64_t i = 0; i < columns; ++i) squares += std::pow(static_cast<double>(x.at(row, i)), 2);
        const double scale = 1 / std::sqrt(squares / static_cast<double>(columns) + static_cast<double>(kEpsilon));
        for (std::int64_t i = 0; i < columns; ++i) {
          const double expected = static_cast<double>(x.at(row, i)) * scale * static_cast<double>(weight.at(0, i));
          const double relative = out == DType::kBFloat16 ? 0x1p-8 : 1e-5;
          ASSERT_NEAR(static_cast<double>(y.at(row, i)), expected, relative * std::fabs(expected));
        }
      }
    }
  }
}

TEST_P(RmsNormConformance, GivesTheBitsOfTheSpecification) {
  const auto scalar = specification();
  if (scalar == nullptr) GTEST_SKIP() << "this backend has a numerics id of its own";
  Random random(2);
  for (std::int64_t columns : kColumns) {
    for (Values values : {Values::kOrdinary, Values::kMagnitudes, Values::kTiny, Values::kInfinite, Values::kNan}) {
      const auto x = OwnedRows::random(random, 5, columns, DType::kFloat32, values);
      const auto weight = OwnedRows::random(random, 1, columns, DType::kFloat32, Values::kMagnitudes);
      for (DType out : kDtypes) {
        ASSERT_TRUE(same_bits(rms_norm(*backend, x.rows(), weight, out).rows(),
                              rms_norm(*scalar, x.rows(), weight, out).rows()))
            << columns << " columns";
      }
    }
  }
}

TEST_P(RmsNormConformance, NeitherOtherRowsNorThreadsChangeABit) {
  Random random(3);
  constexpr std::int64_t kRows = 71;
  const auto x = OwnedRows::random(random, kRows, 100, DType::kFloat32, Values::kMagnitudes);
  const auto weight = OwnedRows::random(random, 1, 100, DType::kFloat32, Values::kOrdinary);
  const auto together = rms_norm(*backend, x.rows(), weight, DType::kFloat32);
  for (std::int64_t row = 0; row < kRows; ++row) {
    ASSERT_TRUE(same_bits(together.slice(row, 1), rms_norm(*backend, x.slice(row, 1), weight, DType::kFloat32).rows()));
  }
  for (int threads : {2, 3}) {
    const auto more = with_threads(threads);
    EXPECT_TRUE(same_bits(together.rows(), rms_norm(*more, x.rows(), weight, DType::kFloat32).rows()));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, RmsNormConformance, testing::ValuesIn(subjects()), subject_name);

}  // namespace
}  // namespace sida::compute
