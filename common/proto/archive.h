// The three archives that a message's field list (fields.h) runs over: Counter, Writer and Reader. All have the same
// methods, one per kind of field; `name` is only for error texts. A message is a msgpack array of its fields.
#pragma once

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "common/base/ids.h"
#include "common/proto/messages.h"

namespace sida::proto {

// Packed vectors travel in the memory layout of the machines that sida runs on.
static_assert(std::endian::native == std::endian::little);

// Numbers of any kind as the integer that travels.
template <typename T>
auto& integer_of(T& value) {
  return value;
}
template <typename Tag, typename Value>
auto& integer_of(Id<Tag, Value>& id) {
  return id.value;
}
template <typename Tag, typename Value>
auto& integer_of(const Id<Tag, Value>& id) {
  return id.value;
}

// The text as it may travel: at most `bytes_max`, cut between characters, UTF-8 without control characters.
std::string fitting_text(const std::string& text, std::size_t bytes_max);
bool is_fitting_text(std::string_view text, std::size_t bytes_max);

class Counter {
 public:
  template <typename T>
  using Field = const T;

  void number(const char*, const auto&, std::uint64_t = 0, std::uint64_t = 0) { ++count_; }
  void duration(const char*, std::chrono::microseconds, std::chrono::microseconds = {}) { ++count_; }
  void rate(const char*, double) { ++count_; }
  void flag(const char*, bool) { ++count_; }
  void text(const char*, const std::string&, std::size_t) { ++count_; }
  void raw(const char*, const auto&) { ++count_; }
  void packed(const char*, const auto&, std::size_t, auto, auto) { ++count_; }
  void object(const char*, const auto&) { ++count_; }
  void list(const char*, const auto&, std::size_t, auto) { ++count_; }

  [[nodiscard]] std::uint32_t count() const { return count_; }

 private:
  std::uint32_t count_ = 0;
};

// A limit exceeded here is a mistake of our own code: SIDA_CHECK.
class Writer {
 public:
  template <typename T>
  using Field = const T;

  // What msgpack's packer writes to.
  struct Sink {
    std::vector<std::byte> bytes;
    void write(const char* data, std::size_t size) {
      const auto* begin = reinterpret_cast<const std::byte*>(data);
      bytes.insert(bytes.end(), begin, begin + size);
    }
  };

  template <typename T>
  void number(const char*, const T& value, std::uint64_t low = 0, std::uint64_t high = UINT64_MAX) {
    const auto integer = static_cast<std::int64_t>(integer_of(value));
    const auto wide = static_cast<std::uint64_t>(integer);
    SIDA_CHECK(std::is_enum_v<T> || (wide >= low && wide <= high));
    packer_.pack_uint64(wide);
  }
  // `least`: what a negative duration becomes.
  void duration(const char*, std::chrono::microseconds value, std::chrono::microseconds least = {}) {
    if (value.count() < 0) value = least;
    packer_.pack_int64(std::min<std::chrono::microseconds>(value, kMaxDuration).count());
  }
  void rate(const char*, double value) {
    SIDA_CHECK(value >= 0 && value <= kMaxRate);
    packer_.pack_double(value);
  }
  void flag(const char*, bool value) { value ? packer_.pack_true() : packer_.pack_false(); }
  void text(const char*, const std::string& value, std::size_t bytes_max) {
    const std::string fitting = fitting_text(value, bytes_max);
    packer_.pack_str(static_cast<std::uint32_t>(fitting.size()));
    packer_.pack_str_body(fitting.data(), static_cast<std::uint32_t>(fitting.size()));
  }
  template <std::size_t size>
  void raw(const char*, const std::array<std::uint8_t, size>& value) {
    bin(value.data(), size);
  }
  // Every element within [low, high].
  template <typename T>
  void packed(const char*, const std::vector<T>& values, std::size_t count_max, T low, T high) {
    SIDA_CHECK(values.size() <= count_max);
    for (T value : values) SIDA_CHECK(value >= low && value <= high);
    bin(values.data(), values.size() * sizeof(T));
  }
  template <typename T>
  void object(const char*, const T& value) {
    Counter counter;
    fields(counter, value);
    packer_.pack_array(counter.count());
    fields(*this, value);
  }
  // `item(archive, element)` writes one element.
  template <typename T>
  void list(const char*, const std::vector<T>& values, std::size_t count_max, auto item) {
    SIDA_CHECK(values.size() <= count_max);
    packer_.pack_array(static_cast<std::uint32_t>(values.size()));
    for (const T& value : values) item(*this, value);
  }

  void begin_array(std::uint32_t size) { packer_.pack_array(size); }
  [[nodiscard]] std::vector<std::byte> take() { return std::move(sink_.bytes); }

  static constexpr double kMaxRate = 1e15;

 private:
  void bin(const void* data, std::size_t size) {
    packer_.pack_bin(static_cast<std::uint32_t>(size));
    packer_.pack_bin_body(static_cast<const char*>(data), static_cast<std::uint32_t>(size));
  }

  Sink sink_;
  msgpack::packer<Sink> packer_{sink_};
};

// Reads the elements of one msgpack array in order. The first error stays; what is read after it is left as it was.
// A reader of a nested array shares its parent's error and must not outlive it.
class Reader {
 public:
  template <typename T>
  using Field = T;

  Reader(const char* name, const msgpack::object& array) : name_(name), error_(&own_error_) { open(array); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  template <typename T>
  void number(const char* name, T& value, std::uint64_t low = 0, std::uint64_t high = UINT64_MAX) {
    using Integer = std::remove_reference_t<decltype(integer_of(value))>;
    const msgpack::object* read = take(name, msgpack::type::POSITIVE_INTEGER);
    if (read == nullptr) return;
    if constexpr (!std::is_enum_v<Integer>) {
      high = std::min<std::uint64_t>(high, static_cast<std::uint64_t>(std::numeric_limits<Integer>::max()));
    }
    if (read->via.u64 < low || read->via.u64 > high) return refuse(name, "out of range");
    integer_of(value) = static_cast<Integer>(read->via.u64);
  }
  void duration(const char* name, std::chrono::microseconds& value, std::chrono::microseconds = {});
  void rate(const char* name, double& value);
  void flag(const char* name, bool& value);
  void text(const char* name, std::string& value, std::size_t bytes_max);
  template <std::size_t size>
  void raw(const char* name, std::array<std::uint8_t, size>& value) {
    const msgpack::object* read = take(name, msgpack::type::BIN);
    if (read == nullptr) return;
    if (read->via.bin.size != size) return refuse(name, "wrong length");
    std::memcpy(value.data(), read->via.bin.ptr, size);
  }
  template <typename T>
  void packed(const char* name, std::vector<T>& values, std::size_t count_max, T low, T high) {
    const msgpack::object* read = take(name, msgpack::type::BIN);
    if (read == nullptr) return;
    const std::size_t size = read->via.bin.size;
    if (size % sizeof(T) != 0) return refuse(name, "wrong length");
    if (size / sizeof(T) > count_max) return refuse(name, "too many elements");
    values.resize(size / sizeof(T));
    if (size != 0) std::memcpy(values.data(), read->via.bin.ptr, size);
    for (T value : values) {
      if (!(value >= low && value <= high)) return refuse(name, "out of range");  // Also NaN.
    }
  }
  template <typename T>
  void object(const char* name, T& value) {
    const msgpack::object* read = take(name, msgpack::type::ARRAY);
    if (read == nullptr) return;
    Reader nested(name, *read, *this);
    fields(nested, value);
    nested.finish();
  }
  template <typename T>
  void list(const char* name, std::vector<T>& values, std::size_t count_max, auto item) {
    const msgpack::object* read = take(name, msgpack::type::ARRAY);
    if (read == nullptr) return;
    if (read->via.array.size > count_max) return refuse(name, "too many elements");
    values.resize(read->via.array.size);
    Reader nested(name, *read, *this);
    for (T& value : values) {
      if (failed()) return;
      item(nested, value);
    }
  }

  // Call after the last field: elements left over are an error.
  void finish();
  // "Dispatch.groups.rows: out of range" as kMalformedMessage. Later refusals are ignored.
  void refuse(const char* name, const char* why);
  [[nodiscard]] bool failed() const { return error_->has_value(); }
  [[nodiscard]] const std::optional<Error>& error() const { return *error_; }

 private:
  Reader(const char* name, const msgpack::object& array, Reader& parent)
      : name_(name), parent_(&parent), error_(parent.error_) {
    open(array);
  }
  void open(const msgpack::object& array);
  // The next element, which must be of `type`; nullptr after an error.
  const msgpack::object* take(const char* name, msgpack::type::object_type type);
  const msgpack::object* take_any(const char* name);

  const char* name_;
  const Reader* parent_ = nullptr;
  std::optional<Error> own_error_;
  std::optional<Error>* error_;
  const msgpack::object* next_ = nullptr;
  const msgpack::object* end_ = nullptr;
};

}  // namespace sida::proto
