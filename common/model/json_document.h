// Small JSON files beside weights: config.json and its like.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/base/result.h"

namespace sida::model {

inline constexpr std::uint64_t kJsonDocumentBytesMax = 1U << 20U;

// A document of a bounded size and depth, its outermost value an object. kInvalidModel saying what it is instead.
[[nodiscard]] Result<nlohmann::json> parse_json_document(std::string_view text);

}  // namespace sida::model
