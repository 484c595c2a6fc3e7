// SentencePiece's file format, written for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sida::tokenizer::testing {

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes.push_back(static_cast<char>(value | 0x80));
  }
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

inline std::string integer_field(std::uint32_t number, std::uint64_t value) {
  return varint(number << 3) + varint(value);
}

inline std::string bytes_field(std::uint32_t number, std::string_view bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}

inline std::string float_field(std::uint32_t number, float value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return varint(number << 3 | 5) + bytes;
}

// Types: 1 normal, 2 unknown, 3 control, 4 user-defined.
inline std::string piece(std::string_view text, float score, std::uint64_t type = 1) {
  return bytes_field(1, bytes_field(1, text) + float_field(2, score) + integer_field(3, type));
}

// <pad> 0, </s> 1, <unk> 2, and six pieces, of which "<sep>" is user-defined.
inline std::string spiece_file(std::string_view charsmap = {}) {
  return piece("<pad>", 0, 3) + piece("</s>", 0, 3) + piece("<unk>", 0, 2) + piece("\u2581the", -1.5F) +
         piece("\u2581", -3) + piece("cat", -2.5F) + piece("s", -2) + piece("\u2581cat", -2) + piece("<sep>", 0, 4) +
         bytes_field(2, integer_field(3, 1) + integer_field(40, 2)) +
         bytes_field(3, charsmap.empty() ? std::string() : bytes_field(2, charsmap));
}

}  // namespace sida::tokenizer::testing
