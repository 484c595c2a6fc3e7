// Decimal numbers as serde_json 1.0 reads them without its float_roundtrip feature, which is how the tokenizers package
// reads a file's scores. The result may differ from the nearest double in its last bit, and a last bit decides which of
// two segmentations of equal score wins.
#pragma once

#include <optional>
#include <string_view>

namespace sida::tokenizer {

// `text` is a number by JSON's grammar. Nothing where it is too large for a double.
[[nodiscard]] std::optional<double> parse_json_number(std::string_view text);

}  // namespace sida::tokenizer
