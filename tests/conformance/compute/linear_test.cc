#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "tests/conformance/compute/operands.h"
#include "tests/conformance/compute/subjects.h"

namespace sida::compute {
namespace {

using LinearConformance = BackendConformance;

struct Shape {
  std::int64_t rows, outputs, inputs;
};

constexpr DType kDtypes[] = {DType::kFloat32, DType::kBFloat16};
constexpr Values kEveryKind[] = {Values::kOrdinary, Values::kMagnitudes, Values::kTiny, Values::kInfinite,
                                 Values::kNan};

// Rows 1 to 20 and 64, outputs that fill panels and that do not, inputs odd, tiny, and beyond a chunk.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (std::int64_t rows = 1; rows <= 20; ++rows) all.push_back({rows, 65 + rows % 3, 33 + rows});
  for (std::int64_t inputs : {1, 2, 3, 15, 16, 17, 768, 769, 1601}) all.push_back({3, 50, inputs});
  for (std::int64_t outputs : {1, 15, 16, 31, 32, 33, 63, 64, 128, 200}) all.push_back({2, outputs, 40});
  all.insert(all.end(), {{64, 70, 801}, {13, 96, 1537}, {250, 33, 20}});
  return all;
}

OwnedRows linear(Backend& backend, ConstRows x, const PackedMatrix& weight, DType out) {
  OwnedRows y(x.count, weight.outputs, out);
  backend.linear(x, weight, y.rows());
  return y;
}

// A chain of K fused steps errs by at most K half units of the sum of magnitudes; bf16 output by half a unit more.
void expect_close(const OwnedRows& x, const OwnedMatrix& weight, const OwnedRows& y) {
  const std::int64_t inputs = weight.packed.inputs;
  const double output_error = y.rows().dtype == DType::kBFloat16 ? 0x1p-8 : 0;
  for (std::int64_t row = 0; row < y.rows().count; ++row) {
    for (std::int64_t output = 0; output < weight.packed.outputs; ++output) {
      double sum = 0;
      double magnitude = 0;
      for (std::int64_t i = 0; i < inputs; ++i) {
        const double product = static_cast<double>(x.at(row, i)) * static_cast<double>(weight.plain.at(output, i));
        sum += product;
        magnitude += std::fabs(product);
      }
      const double bound = static_cast<double>(inputs + 1) * 0x1p-24 * magnitude + output_error * std::fabs(sum);
      ASSERT_NEAR(static_cast<double>(y.at(row, output)), sum, bound) << "row " << row << " output " << output;
    }
  }
}

TEST_P(LinearConformance, IsCloseToDoublePrecision) {
  Random random(1);
  for (const Shape& shape : shapes()) {
    for (DType dtype : kDtypes) {
      const auto x = OwnedRows::random(random, shape.rows, shape.inputs, dtype, Values::kOrdinary);
      const OwnedMatrix weight(random, shape.outputs, shape.inputs, dtype, Values::kOrdinary);
      expect_close(x, weight, linear(*backend, x.rows(), weight.packed, DType::kFloat32));
      expect_close(x, weight, linear(*backend, x.rows(), weight.packed, DType::kBFloat16));
    }
  }
}

TEST_P(LinearConformance, GivesTheBitsOfTheSpecification) {
  const auto scalar = specification();
  if (scalar == nullptr) GTEST_SKIP() << "this backend has a numerics id of its own";
  Random random(2);
  for (const Shape& shape : shapes()) {
    for (DType dtype : kDtypes) {
      for (Values values : kEveryKind) {
        const auto x = OwnedRows::random(random, shape.rows, shape.inputs, dtype, values);
        const OwnedMatrix weight(random, shape.outputs, shape.inputs, dtype, values);
        for (DType out : kDtypes) {
          ASSERT_TRUE(same_bits(linear(*backend, x.rows(), weight.packed, out).rows(),
                                linear(*scalar, x.rows(), weight.packed, out).rows()))
              << shape.rows << " rows, " << shape.outputs << " x " << shape.inputs << " " << name(dtype) << " to "
              << name(out) << ", values " << static_cast<int>(values);
        }
      }
    }
  }
}

TEST_P(LinearConformance, RowAloneEqualsRowAmongOthers) {
  Random random(3);
  constexpr std::int64_t kRows = 71;
  for (DType dtype : kDtypes) {
    const auto x = OwnedRows::random(random, kRows, 1601, dtype, Values::kMagnitudes);
    const OwnedMatrix weight(random, 70, 1601, dtype, Values::kMagnitudes);
    const auto together = linear(*backend, x.rows(), weight.packed, DType::kFloat32);
    for (std::int64_t row = 0; row < kRows; ++row) {
      ASSERT_TRUE(
          same_bits(together.slice(row, 1), linear(*backend, x.slice(row, 1), weight.packed, DType::kFloat32).rows()));
    }
    for (std::int64_t count = 2; count <= 20; ++count) {
      const std::int64_t first = kRows - count;
      ASSERT_TRUE(same_bits(together.slice(first, count),
                            linear(*backend, x.slice(first, count), weight.packed, DType::kFloat32).rows()));
    }
  }
}

TEST_P(LinearConformance, PositionInTheCallChangesNoBit) {
  Random random(4);
  constexpr std::int64_t kRows = 23;
  std::vector<std::int64_t> order(kRows);
  std::iota(order.rbegin(), order.rend(), 0);
  for (DType dtype : kDtypes) {
    const auto x = OwnedRows::random(random, kRows, 333, dtype, Values::kMagnitudes);
    const OwnedMatrix weight(random, 70, 333, dtype, Values::kMagnitudes);
    const auto forward = linear(*backend, x.rows(), weight.packed, DType::kBFloat16);
    const auto backward = linear(*backend, x.picked(order).rows(), weight.packed, DType::kBFloat16);
    EXPECT_TRUE(same_bits(forward.picked(order).rows(), backward.rows()));
  }
}

TEST_P(LinearConformance, ThreadsChangeNoBit) {
  Random random(5);
  for (DType dtype : kDtypes) {
    const OwnedMatrix weight(random, 1100, 640, dtype, Values::kMagnitudes);
    const auto x = OwnedRows::random(random, 9, 640, dtype, Values::kMagnitudes);
    const auto one = linear(*backend, x.rows(), weight.packed, DType::kFloat32);
    for (int threads : {2, 3}) {
      const auto more = with_threads(threads);
      EXPECT_TRUE(same_bits(one.rows(), linear(*more, x.rows(), weight.packed, DType::kFloat32).rows()));
    }
  }
}

TEST_P(LinearConformance, NothingToDoIsAllowed) {
  Random random(6);
  const OwnedMatrix weight(random, 5, 4, DType::kFloat32, Values::kOrdinary);
  const OwnedRows x(0, 4, DType::kFloat32);
  OwnedRows y(0, 5, DType::kFloat32);
  backend->linear(x.rows(), weight.packed, y.rows());
}

INSTANTIATE_TEST_SUITE_P(Backends, LinearConformance, testing::ValuesIn(subjects()), subject_name);

}  // namespace
}  // namespace sida::compute
