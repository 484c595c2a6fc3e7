#include "tests/conformance/compute/operands.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace sida::compute {
namespace {

float draw_fp32(Random& random, Values values) {
  const float ordinary = std::normal_distribution<float>()(random);
  const auto dice = random();
  const float sign = (dice & 1U) != 0 ? 1.0F : -1.0F;
  const auto kind = (dice >> 1U) % 16;
  const int exponent = static_cast<int>((dice >> 8U) % 64);
  switch (values) {
    case Values::kOrdinary:
      return ordinary;
    case Values::kMagnitudes:
      return kind == 0 ? sign * 0.0F : std::ldexp(ordinary, exponent - 32);
    case Values::kTiny:
      if (kind < 2) return sign * 0.0F;
      if (kind < 5) return sign * std::ldexp(1.0F, -127 - exponent % 22) * 1.75F;
      return std::ldexp(ordinary, (kind < 11 ? -63 : -126) + exponent % 8 - 4);
    case Values::kInfinite:
      return kind == 0 && exponent < 16 ? sign * std::numeric_limits<float>::infinity() : ordinary;
    case Values::kNan:
      return kind == 0 && exponent < 16 ? std::numeric_limits<float>::quiet_NaN() : ordinary;
  }
  return ordinary;
}

std::uint32_t bits_at(ConstRows rows, std::int64_t index) {
  if (rows.dtype == DType::kBFloat16) return rows.bf16()[index].bits;
  return std::bit_cast<std::uint32_t>(rows.f32()[index]);
}

float value_at(ConstRows rows, std::int64_t index) {
  return rows.dtype == DType::kBFloat16 ? to_float(rows.bf16()[index]) : rows.f32()[index];
}

}  // namespace

float draw(Random& random, Values values, DType dtype) {
  const float value = draw_fp32(random, values);
  return dtype == DType::kBFloat16 ? round_to_bfloat16(value) : value;
}

Bytes::Bytes(std::size_t count)
    : count_(count), data_(static_cast<std::byte*>(std::aligned_alloc(64, (count + 64) / 64 * 64))) {
  if (data_ == nullptr) throw std::bad_alloc();
  std::memset(data_.get(), 0, count);
}

void Bytes::Free::operator()(std::byte* memory) const {
  std::free(memory);
}

OwnedRows::OwnedRows(std::int64_t count, std::int64_t columns, DType dtype)
    : count_(count),
      columns_(columns),
      dtype_(dtype),
      bytes_(static_cast<std::size_t>(count * columns) * bytes_per_element(dtype)) {}

OwnedRows OwnedRows::random(Random& random, std::int64_t count, std::int64_t columns, DType dtype, Values values) {
  OwnedRows made(count, columns, dtype);
  for (std::int64_t row = 0; row < count; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) made.set(row, column, draw(random, values, dtype));
  }
  return made;
}

ConstRows OwnedRows::slice(std::int64_t first, std::int64_t count) const {
  return {rows().row(first), count, columns_, dtype_};
}

float OwnedRows::at(std::int64_t row, std::int64_t column) const {
  return value_at(rows(), row * columns_ + column);
}

void OwnedRows::set(std::int64_t row, std::int64_t column, float value) {
  const std::int64_t index = row * columns_ + column;
  if (dtype_ == DType::kBFloat16) {
    rows().bf16()[index] = to_bfloat16(value);
  } else {
    rows().f32()[index] = value;
  }
}

OwnedRows OwnedRows::picked(const std::vector<std::int64_t>& order) const {
  OwnedRows made(static_cast<std::int64_t>(order.size()), columns_, dtype_);
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::memcpy(made.rows().row(static_cast<std::int64_t>(i)), rows().row(order[i]), rows().row_bytes());
  }
  return made;
}

OwnedMatrix::OwnedMatrix(Random& random, std::int64_t outputs, std::int64_t inputs, DType dtype, Values values)
    : plain(OwnedRows::random(random, outputs, inputs, dtype, values)),
      packed_bytes(sida::packed_bytes(outputs, inputs, dtype)),
      packed(pack(plain.rows().data, dtype, outputs, inputs, dtype,
                  std::span(packed_bytes.data(), packed_bytes.size()))) {}

testing::AssertionResult same_bits(ConstRows a, ConstRows b) {
  if (a.count != b.count || a.columns != b.columns || a.dtype != b.dtype) {
    return testing::AssertionFailure() << "shapes or dtypes differ";
  }
  for (std::int64_t i = 0; i < a.count * a.columns; ++i) {
    if (bits_at(a, i) == bits_at(b, i)) continue;
    if (std::isnan(value_at(a, i)) && std::isnan(value_at(b, i))) continue;
    return testing::AssertionFailure() << "row " << i / a.columns << " column " << i % a.columns << ": "
                                       << value_at(a, i) << " is not " << value_at(b, i) << " (" << std::hex
                                       << bits_at(a, i) << ", " << bits_at(b, i) << ")";
  }
  return testing::AssertionSuccess();
}

}  // namespace sida::compute
