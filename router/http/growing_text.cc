#include "router/http/growing_text.h"

#include <span>

namespace sida::router {

std::string GrowingText::decode(std::size_t first, std::size_t end) const {
  return decode_text(*model_, std::span(ids_).subspan(first, end - first));
}

const std::string& GrowingText::add(std::int32_t id) {
  constexpr std::string_view kNoCharacter = "\uFFFD";
  if (!has_text(*model_, id)) {
    return text_;
  }
  ids_.push_back(id);
  const std::string before = decode(first_, settled_);
  const std::string after = decode(first_, ids_.size());
  if (after.starts_with(before)) {
    text_.resize(settled_bytes_);
    text_ += after.substr(before.size());
  } else {
    text_ = decode(0, ids_.size());
  }
  if (!text_.ends_with(kNoCharacter)) {
    settled_bytes_ = text_.size();
    first_ = settled_;
    settled_ = ids_.size();
  }
  return text_;
}

}  // namespace sida::router
