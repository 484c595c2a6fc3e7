#include "common/tokenizer/wire_reader.h"

namespace sida::tokenizer {
namespace {

constexpr unsigned kVarintBits = 7;
constexpr unsigned kTypeBits = 3;
constexpr std::uint64_t kFieldNumberMax = (std::uint64_t{1} << 29) - 1;

}  // namespace

Result<std::uint64_t> WireReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += kVarintBits) {
    if (bytes_.empty()) {
      return fail(ErrorCode::kInvalidModel, "ends within a number");
    }
    const auto byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80) == 0) {
      return value;
    }
  }
  return fail(ErrorCode::kInvalidModel, "a number is longer than ten bytes");
}

Result<std::string_view> WireReader::take(std::uint64_t count) {
  if (count > bytes_.size()) {
    return fail(ErrorCode::kInvalidModel, "a field of " + std::to_string(count) + " bytes, but only " +
                                              std::to_string(bytes_.size()) + " are left");
  }
  const std::string_view taken = bytes_.substr(0, static_cast<std::size_t>(count));
  bytes_.remove_prefix(taken.size());
  return taken;
}

Result<std::uint64_t> WireReader::fixed(std::size_t byte_count) {
  const auto taken = take(byte_count);
  SIDA_TRY(taken);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < byte_count; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>((*taken)[i])} << (8 * i);
  }
  return value;
}

Result<WireField> WireReader::next() {
  const auto tag = varint();
  SIDA_TRY(tag);
  const std::uint64_t number = *tag >> kTypeBits;
  if (number == 0 || number > kFieldNumberMax) {
    return fail(ErrorCode::kInvalidModel, "a field's number is out of range");
  }
  WireField field{.number = static_cast<std::uint32_t>(number), .bytes = {}};
  Result<std::uint64_t> integer = 0;
  switch (*tag & ((1U << kTypeBits) - 1)) {
    case static_cast<unsigned>(WireField::Type::kVarint):
      integer = varint();
      break;
    case static_cast<unsigned>(WireField::Type::kFixed64):
      field.type = WireField::Type::kFixed64;
      integer = fixed(8);
      break;
    case static_cast<unsigned>(WireField::Type::kFixed32):
      field.type = WireField::Type::kFixed32;
      integer = fixed(4);
      break;
    case static_cast<unsigned>(WireField::Type::kBytes): {
      field.type = WireField::Type::kBytes;
      integer = varint();
      SIDA_TRY(integer);
      const auto bytes = take(*integer);
      SIDA_TRY(bytes);
      field.bytes = *bytes;
      break;
    }
    default:
      return fail(ErrorCode::kInvalidModel, "a field's type is unknown");
  }
  SIDA_TRY(integer);
  field.integer = *integer;
  return field;
}

}  // namespace sida::tokenizer
