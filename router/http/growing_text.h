// The text of tokens that come one by one, without decoding all of them again each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "router/http/served_model.h"

namespace sida::router {

// After each token the text is decode_text() of all tokens so far. Usually two short stretches are decoded for it: the
// newest tokens with and without the last ones, since a token's text depends on its neighbours only. Bytes that are no
// character yet keep a stretch growing, and a token that changes what was there before has all decoded anew.
class GrowingText {
 public:
  // The model must outlive it.
  explicit GrowingText(const ServedModel& model) : model_(&model) {}

  const std::string& add(std::int32_t id);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  [[nodiscard]] std::string decode(std::size_t first, std::size_t end) const;

  const ServedModel* model_;
  std::vector<std::int32_t> ids_;
  std::string text_;
  std::size_t settled_bytes_ = 0;  // Of text_, of the tokens before settled_.
  std::size_t first_ = 0;          // The stretch begins here, before settled_: its text tells how the newest joins on.
  std::size_t settled_ = 0;
};

}  // namespace sida::router
