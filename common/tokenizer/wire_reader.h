// Protocol Buffers' wire format, as far as SentencePiece's files need it, with every length checked against the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/result.h"

namespace sida::tokenizer {

// One field of a message. Which member counts depends on the wire type.
struct WireField {
  enum class Type : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  std::uint32_t number = 0;
  Type type = Type::kVarint;
  std::uint64_t integer = 0;  // kVarint, kFixed32, kFixed64.
  std::string_view bytes;     // kBytes; points into the reader's bytes.
};

// Walks the fields of one message, in their order. Views the bytes.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool at_end() const { return bytes_.empty(); }

  // kInvalidModel where the bytes are no field.
  Result<WireField> next();

 private:
  Result<std::uint64_t> varint();
  Result<std::string_view> take(std::uint64_t count);
  Result<std::uint64_t> fixed(std::size_t byte_count);

  std::string_view bytes_;
};

}  // namespace sida::tokenizer
