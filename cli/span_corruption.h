// Hides spans of a text as T5 was trained to fill them in (Raffel et al. 2020, arXiv 1910.10683, section 3.1.4).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/tokenizer/tokenizer.h"

namespace sida::cli {

struct SpanCorruption {
  double noise_density = 0.15;  // Share of the tokens that are hidden, in (0, 1).
  double mean_span_tokens = 3;  // At least 1.
  std::uint64_t seed = 0;
};

// What stands for hidden spans, and what ends a sequence.
struct Sentinels {
  std::vector<std::int32_t> ids;  // "<extra_id_0>", "<extra_id_1>", …
  std::int32_t end = 1;
};

// Looks the sentinels up. kInvalidArgument when the tokeniser has none.
Result<Sentinels> find_sentinels(const tokenizer::Tokenizer& tokenizer, std::int32_t end);

struct CorruptedText {
  std::vector<std::int32_t> source;  // Each hidden span replaced by one sentinel; the end token last.
  std::vector<std::int32_t> target;  // Each sentinel followed by its span; the end token last.
};

// `tokens`: without end token. Nothing when there are fewer than two of them. The same for equal seed and `ordinal`, on
// every machine. Where a text has more spans than there are sentinels, the spans get longer.
std::optional<CorruptedText> hide_spans(std::span<const std::int32_t> tokens, const Sentinels& sentinels,
                                        const SpanCorruption& options, std::uint64_t ordinal);

}  // namespace sida::cli
