// Rows and matrices that own their memory, filled with reproducible values.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/tensor/packed_matrix.h"
#include "common/tensor/rows.h"

namespace sida::compute {

enum class Values {
  kOrdinary,    // Normal distribution.
  kMagnitudes,  // Both signs, 2^-30 to 2^30, some zeros.
  kTiny,        // Denormals, zeros of both signs, and values whose products are denormal.
  kInfinite,    // Ordinary with some infinities.
  kNan,         // Ordinary with some NaN.
};

using Random = std::mt19937_64;

// One value, representable in `dtype`.
float draw(Random& random, Values values, DType dtype);

// 64-byte aligned memory, zero at first.
class Bytes {
 public:
  explicit Bytes(std::size_t count);
  [[nodiscard]] std::byte* data() { return data_.get(); }
  [[nodiscard]] const std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::size_t count_;
  std::unique_ptr<std::byte, Free> data_;
};

// [count, columns] that owns its memory.
class OwnedRows {
 public:
  OwnedRows(std::int64_t count, std::int64_t columns, DType dtype);
  static OwnedRows random(Random& random, std::int64_t count, std::int64_t columns, DType dtype, Values values);

  [[nodiscard]] Rows rows() { return {bytes_.data(), count_, columns_, dtype_}; }
  [[nodiscard]] ConstRows rows() const { return {bytes_.data(), count_, columns_, dtype_}; }
  [[nodiscard]] ConstRows slice(std::int64_t first, std::int64_t count) const;
  [[nodiscard]] float at(std::int64_t row, std::int64_t column) const;
  void set(std::int64_t row, std::int64_t column, float value);
  // The rows in another order.
  [[nodiscard]] OwnedRows picked(const std::vector<std::int64_t>& order) const;

 private:
  std::int64_t count_;
  std::int64_t columns_;
  DType dtype_;
  Bytes bytes_;
};

// [outputs, inputs], plain and packed.
struct OwnedMatrix {
  OwnedMatrix(Random& random, std::int64_t outputs, std::int64_t inputs, DType dtype, Values values);

  OwnedRows plain;
  Bytes packed_bytes;
  PackedMatrix packed;
};

// Bit for bit; NaN equals any NaN. On a difference, says where the first one is.
testing::AssertionResult same_bits(ConstRows a, ConstRows b);

}  // namespace sida::compute
