#include "common/proto/archive.h"

#include <algorithm>

namespace sida::proto {
namespace {

bool is_continuation(unsigned char byte) {
  return (byte & 0xc0U) == 0x80U;
}

// Bytes of the printable UTF-8 character at the start of `text`; 0 when there is none. Well-formedness as in table 3-7
// of the Unicode standard: no overlong forms, no surrogates, at most U+10FFFF.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(byte(i))) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool beyond = first == 0xf4 && second > 0x8f;
  const bool control = first == 0xc2 && second < 0xa0;
  return overlong || surrogate || beyond || control ? 0 : length;
}

}  // namespace

std::string fitting_text(const std::string& text, std::size_t bytes_max) {
  std::string fitting;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = character_bytes(rest);
    const std::string_view piece = length == 0 ? "?" : rest.substr(0, length);
    if (fitting.size() + piece.size() > bytes_max) break;
    fitting += piece;
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return fitting;
}

bool is_fitting_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return false;
  while (!text.empty()) {
    const std::size_t length = character_bytes(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void Reader::open(const msgpack::object& array) {
  if (array.type != msgpack::type::ARRAY) return refuse(nullptr, "not an array");
  next_ = array.via.array.ptr;
  end_ = next_ + array.via.array.size;
}

const msgpack::object* Reader::take_any(const char* name) {
  if (failed()) return nullptr;
  if (next_ == end_) {
    refuse(name, "missing");
    return nullptr;
  }
  return next_++;
}

const msgpack::object* Reader::take(const char* name, msgpack::type::object_type type) {
  const msgpack::object* read = take_any(name);
  if (read == nullptr || read->type == type) return read;
  refuse(name, read->type == msgpack::type::NEGATIVE_INTEGER ? "negative" : "wrong type");
  return nullptr;
}

void Reader::duration(const char* name, std::chrono::microseconds& value, std::chrono::microseconds) {
  std::uint64_t count = 0;
  number(name, count, 0, static_cast<std::uint64_t>(std::chrono::microseconds(kMaxDuration).count()));
  value = std::chrono::microseconds(static_cast<std::int64_t>(count));
}

void Reader::rate(const char* name, double& value) {
  const msgpack::object* read = take_any(name);
  if (read == nullptr) return;
  double rate = -1;
  if (read->type == msgpack::type::FLOAT64) {
    rate = read->via.f64;
  } else if (read->type == msgpack::type::POSITIVE_INTEGER) {  // How msgpack writes a whole number.
    rate = static_cast<double>(read->via.u64);
  }
  if (!(rate >= 0 && rate <= Writer::kMaxRate)) return refuse(name, "out of range");
  value = rate;
}

void Reader::flag(const char* name, bool& value) {
  if (const msgpack::object* read = take(name, msgpack::type::BOOLEAN)) value = read->via.boolean;
}

void Reader::text(const char* name, std::string& value, std::size_t bytes_max) {
  const msgpack::object* read = take(name, msgpack::type::STR);
  if (read == nullptr) return;
  const std::string_view text(read->via.str.ptr, read->via.str.size);
  if (text.size() > bytes_max) return refuse(name, "too long");
  if (!is_fitting_text(text, bytes_max)) return refuse(name, "not printable UTF-8");
  value = text;
}

void Reader::finish() {
  if (!failed() && next_ != end_) refuse(nullptr, "too many fields");
}

void Reader::refuse(const char* name, const char* why) {
  if (failed()) return;
  std::string path = name == nullptr ? "" : name;
  for (const Reader* reader = this; reader != nullptr; reader = reader->parent_) {
    path.insert(0, std::string(reader->name_) + (path.empty() ? "" : "."));
  }
  *error_ = Error{ErrorCode::kMalformedMessage, path + ": " + why};
}

}  // namespace sida::proto
