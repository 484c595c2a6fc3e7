#include "router/http/json_fields.h"

namespace sida::router {
namespace {

// Counted before parsing, so that no tree deeper than the limit is ever built.
bool is_deeper_than(std::string_view text, std::int64_t depth_max) {
  std::int64_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      i += c == '\\' ? 1 : 0;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > depth_max) {
        return true;
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

// Of a whole number; nothing when it is above int64, which would turn negative.
std::optional<std::int64_t> signed_value(const nlohmann::json& number) {
  if (number.is_number_unsigned() && number.get<std::uint64_t>() > INT64_MAX) {
    return std::nullopt;
  }
  return number.get<std::int64_t>();
}

std::string range_text(const std::string& min, const std::string& max) {
  return "must be a number from " + min + " to " + max;
}

}  // namespace

ApiResult<nlohmann::json> parse_json_object(std::string_view body, std::int64_t depth_max) {
  if (is_deeper_than(body, depth_max)) {
    return refuse("", "the body is nested deeper than " + std::to_string(depth_max) + " levels");
  }
  auto object = nlohmann::json::parse(body, nullptr, false);
  if (object.is_discarded()) {
    return refuse("", "the body is not valid JSON");
  }
  if (!object.is_object()) {
    return refuse("", "the body is not a JSON object");
  }
  return object;
}

JsonFields::JsonFields(const nlohmann::json& object) : object_(object) {}

const nlohmann::json* JsonFields::any(const char* name) {
  taken_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void JsonFields::problem(ApiError error) {
  if (!error_) {
    error_ = std::move(error);
  }
}

std::int64_t JsonFields::integer(const char* name, std::int64_t fallback, std::int64_t min, std::int64_t max) {
  const auto* value = any(name);
  if (value == nullptr) {
    return fallback;
  }
  const auto number = value->is_number_integer() ? signed_value(*value) : std::nullopt;
  if (!number || *number < min || *number > max) {
    problem(refuse(name, std::string(name) + " must be a whole number from " + std::to_string(min) + " to " +
                             std::to_string(max))
                .value());
    return fallback;
  }
  return *number;
}

double JsonFields::number(const char* name, double fallback, double min, double max) {
  const auto* value = any(name);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_number() || !(value->get<double>() >= min && value->get<double>() <= max)) {
    problem(refuse(name, std::string(name) + " " + range_text(nlohmann::json(min).dump(), nlohmann::json(max).dump()))
                .value());
    return fallback;
  }
  return value->get<double>();
}

bool JsonFields::boolean(const char* name, bool fallback) {
  const auto* value = any(name);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_boolean()) {
    problem(refuse(name, std::string(name) + " must be true or false").value());
    return fallback;
  }
  return value->get<bool>();
}

std::string JsonFields::text(const char* name, std::string fallback) {
  const auto* value = any(name);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_string()) {
    problem(refuse(name, std::string(name) + " must be a string").value());
    return fallback;
  }
  return value->get<std::string>();
}

std::optional<std::uint64_t> JsonFields::optional_unsigned(const char* name) {
  const auto* value = any(name);
  if (value == nullptr) {
    return std::nullopt;
  }
  const bool whole = value->is_number_unsigned() || (value->is_number_integer() && value->get<std::int64_t>() >= 0);
  if (!whole) {
    problem(refuse(name, std::string(name) + " must be a whole number, 0 or above").value());
    return std::nullopt;
  }
  return value->get<std::uint64_t>();
}

ApiResult<void> JsonFields::finish() const {
  if (error_) {
    return tl::unexpected<ApiError>(*error_);
  }
  for (const auto& [key, value] : object_.items()) {
    if (!taken_.contains(key)) {
      const std::string shown = key.substr(0, 64);
      return refuse(shown, "unknown field '" + shown + "'");
    }
  }
  return {};
}

ApiResult<std::vector<std::int32_t>> read_ids(const nlohmann::json& list, const char* param, std::int32_t vocab_size) {
  std::vector<std::int32_t> ids;
  ids.reserve(list.size());
  for (const auto& element : list) {
    const auto id = element.is_number_integer() ? signed_value(element) : std::nullopt;
    if (!id || *id < 0 || *id >= vocab_size) {
      return refuse(param, std::string(param) + " holds something that is no token id from 0 to " +
                               std::to_string(vocab_size - 1));
    }
    ids.push_back(static_cast<std::int32_t>(*id));
  }
  return ids;
}

tl::unexpected<ApiError> too_many_tokens(const std::string& param, std::int64_t tokens_max) {
  return tl::unexpected<ApiError>(ApiError{400, "context_length_exceeded",
                                           param + " has more than " + std::to_string(tokens_max) + " tokens", param});
}

ApiResult<void> check_text_bytes(const nlohmann::json& text, const std::string& param, std::int64_t tokens_max) {
  // Longer than any piece of a T5 vocabulary; runs of blanks, which collapse, are the only text beyond it.
  constexpr std::size_t kBytesPerTokenMax = 64;
  if (text.is_string() &&
      text.get_ref<const std::string&>().size() > kBytesPerTokenMax * static_cast<std::size_t>(tokens_max)) {
    return too_many_tokens(param, tokens_max);
  }
  return {};
}

}  // namespace sida::router
