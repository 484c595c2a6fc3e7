// Reads a JSON body from a client: bounded, typed, unknown fields refused.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "router/http/reply.h"

namespace sida::router {

// An object, nested at most `depth_max` deep.
ApiResult<nlohmann::json> parse_json_object(std::string_view body, std::int64_t depth_max);

// Takes fields out of an object one by one. After the first problem all getters return fallbacks; finish() tells it.
// An absent field and null are the same.
class JsonFields {
 public:
  explicit JsonFields(const nlohmann::json& object);  // Must outlive this.

  std::int64_t integer(const char* name, std::int64_t fallback, std::int64_t min, std::int64_t max);
  double number(const char* name, double fallback, double min, double max);
  bool boolean(const char* name, bool fallback);
  std::string text(const char* name, std::string fallback);
  std::optional<std::uint64_t> optional_unsigned(const char* name);
  // Any type; nullptr when absent.
  const nlohmann::json* any(const char* name);

  // Keeps the first problem only.
  void problem(ApiError error);
  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  // The first problem, or the first field that nobody took.
  ApiResult<void> finish() const;

 private:
  const nlohmann::json& object_;
  std::set<std::string> taken_;
  std::optional<ApiError> error_;
};

// A list of token ids, each in [0, vocab_size).
ApiResult<std::vector<std::int32_t>> read_ids(const nlohmann::json& list, const char* param, std::int32_t vocab_size);

// 400 context_length_exceeded.
tl::unexpected<ApiError> too_many_tokens(const std::string& param, std::int64_t tokens_max);

// Refuses a string that is sure to be too long, before time is spent on tokenising it. Anything else passes.
ApiResult<void> check_text_bytes(const nlohmann::json& text, const std::string& param, std::int64_t tokens_max);

}  // namespace sida::router
