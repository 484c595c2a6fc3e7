// How the parts of tokenizer.json that are lists of steps are walked.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"
#include "common/tokenizer/json_value.h"

namespace sida::tokenizer {

// Calls read(object, type) for the object, or, where it is a Sequence, for each one in its list called `list_name`,
// also within Sequences. Stops at the first error. Recursion is bounded by the depth that parse_json allows.
template <typename Read>
Result<void> for_each_step(const JsonObject& object, std::string_view list_name, Read&& read) {
  const auto type = object.string("type");
  SIDA_TRY(type);
  if (*type != "Sequence") {
    return read(object, *type);
  }
  const auto list = object.array(list_name);
  SIDA_TRY(list);
  for (std::size_t i = 0; i < (*list)->size(); ++i) {
    const auto step = JsonObject::of((**list)[i], object.place() + "[" + std::to_string(i) + "]");
    SIDA_TRY(step);
    SIDA_TRY(for_each_step(*step, list_name, read));
  }
  return {};
}

}  // namespace sida::tokenizer
