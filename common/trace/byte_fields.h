// Little-endian numbers in a row of bytes, written and read back within bounds.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

namespace sida::trace {

// The formats of this folder are little-endian, and so is every machine that sida runs on.
static_assert(std::endian::native == std::endian::little);

class FieldWriter {
 public:
  template <typename T>
  void number(T value) {
    static_assert(std::is_arithmetic_v<T>);
    numbers(std::span<const T>(&value, 1));
  }
  template <typename T>
  void numbers(std::span<const T> values) {
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  void text(const std::string& text) { numbers(std::span<const char>(text)); }

  [[nodiscard]] std::span<const std::byte> bytes() const { return std::as_bytes(std::span(bytes_)); }

 private:
  std::string bytes_;
};

// Beyond the end every read yields zeros and ok() turns false: who reads checks once.
class FieldReader {
 public:
  explicit FieldReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <typename T>
  T number() {
    T value{};
    numbers(std::span<T>(&value, 1));
    return value;
  }
  template <typename T>
  void numbers(std::span<T> values) {
    if (values.empty()) return;
    if (!ok_ || rest_.size() < values.size_bytes()) {
      ok_ = false;
      return;
    }
    std::memcpy(values.data(), rest_.data(), values.size_bytes());
    rest_ = rest_.subspan(values.size_bytes());
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

// CRC-32 as in zip and PNG.
std::uint32_t checksum(std::span<const std::byte> bytes);

}  // namespace sida::trace
