// Random messages for property tests: one more archive over the field lists, so that no field is forgotten.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/proto/fields.h"

namespace sida::proto {

// Fills every field with a value within its limits, lists kept short.
class Arbitrary {
 public:
  template <typename T>
  using Field = T;

  template <typename T>
  void number(const char*, T& value, std::uint64_t low = 0, std::uint64_t high = UINT64_MAX) {
    using Integer = std::remove_reference_t<decltype(integer_of(value))>;
    std::uint64_t integer = 0;
    if constexpr (std::is_enum_v<Integer>) {
      integer = *rc::gen::inRange(low, high + 1);
    } else {
      high = std::min<std::uint64_t>(high, static_cast<std::uint64_t>(std::numeric_limits<Integer>::max()));
      const auto spread = *rc::gen::arbitrary<std::uint64_t>();
      const std::uint64_t width = high - low;
      integer = low + (width == UINT64_MAX ? spread : spread % (width + 1));
    }
    integer_of(value) = static_cast<Integer>(integer);
  }
  void duration(const char*, std::chrono::microseconds& value, std::chrono::microseconds = {}) {
    value =
        std::chrono::microseconds(*rc::gen::inRange<std::int64_t>(0, std::chrono::microseconds(kMaxDuration).count()));
  }
  void rate(const char*, double& value) {
    value = *rc::gen::nonNegative<double>();
    value = std::min(value, 1e15);
  }
  void flag(const char*, bool& value) { value = *rc::gen::arbitrary<bool>(); }
  void text(const char*, std::string& value, std::size_t bytes_max) {
    value = fitting_text(*rc::gen::string<std::string>(), bytes_max);
  }
  template <std::size_t size>
  void raw(const char*, std::array<std::uint8_t, size>& value) {
    for (auto& byte : value) byte = *rc::gen::arbitrary<std::uint8_t>();
  }
  template <typename T>
  void packed(const char*, std::vector<T>& values, std::size_t, T low, T high) {
    values.resize(*rc::gen::inRange<std::size_t>(0, 20));
    for (T& value : values) value = element(low, high);
  }
  template <typename T>
  void object(const char*, T& value) {
    fields(*this, value);
  }
  template <typename T>
  void list(const char*, std::vector<T>& values, std::size_t count_max, auto item) {
    values.resize(*rc::gen::inRange<std::size_t>(0, std::min<std::size_t>(count_max, 5)));
    for (T& value : values) item(*this, value);
  }

 private:
  static float element(float, float) { return static_cast<float>(*rc::gen::inRange(0, 1001)) / 1000.0F; }
  template <typename T>
  static T element(T low, T high) {
    return *rc::gen::inRange<T>(low, high);
  }
};

// Makes the fields of a random message agree with each other.
inline void reconcile(auto&) {}
inline void reconcile(TensorShape& shape) {
  shape.rows %= 4096;
  shape.columns %= 4096;
}
inline void reconcile(DispatchResult& message) {
  reconcile(message.shape);
}
inline void reconcile(Dispatch& message) {
  message.shape.rows = 0;
  message.shape.columns %= 4096;
  for (auto& group : message.groups) {
    group.rows %= 512;
    message.shape.rows += group.rows;
  }
}
inline void reconcile(HashTableEntries& message) {
  message.layers = 1;
  message.k = 1;
  message.first_token %= 100000;
  message.tokens = static_cast<std::uint32_t>(message.experts.size());
  message.confidences.resize(message.experts.size());
}

template <typename Body>
Envelope arbitrary_envelope() {
  Envelope envelope;
  Arbitrary arbitrary;
  fields(arbitrary, envelope.header);
  Body body;
  fields(arbitrary, body);
  reconcile(body);
  envelope.message = std::move(body);
  return envelope;
}

}  // namespace sida::proto
