// What both fuzzed readers of tokenisers are held to.
#pragma once

#include <cstdint>
#include <memory>

#include "common/base/result.h"
#include "common/tokenizer/tokenizer.h"

namespace sida::test {

// A tokeniser that came of any bytes is used on a text that tries each of its parts.
inline void use_tokenizer(const Result<std::unique_ptr<tokenizer::Tokenizer>>& read) {
  if (!read) {
    SIDA_CHECK(read.error().code == ErrorCode::kInvalidModel);
    return;
  }
  const tokenizer::Tokenizer& tokenizer = **read;
  const auto ids = tokenizer.encode("the \u00bd  cat\u0301s <extra_id_0> \xff \ufb01\uff21\n</s> ", true);
  for (const std::int32_t id : ids) {
    SIDA_CHECK(id >= 0 && id < tokenizer.vocab_size());
  }
  static_cast<void>(tokenizer.decode(ids, false));
  static_cast<void>(tokenizer.decode(ids, true));
}

}  // namespace sida::test
