// A bounded JSON document. The parser is nlohmann's; the tree is our own, because the limits must act while parsing and
// because numbers must be read as the tokenizers package reads them (see json_number.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace sida::tokenizer {

struct JsonMember;

struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;

  // Integers that fit are std::int64_t, other numbers double. null by default.
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> value;

  template <typename T>
  [[nodiscard]] const T* as() const {
    return std::get_if<T>(&value);
  }
  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::nullptr_t>(value); }
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

struct JsonLimits {
  std::size_t bytes = std::size_t{64} << 20;
  std::size_t depth = 32;
  // A piece of the vocabulary takes three: a million pieces fit.
  std::size_t values = std::size_t{4} << 20;
};

// kInvalidModel for bytes that are no JSON document, or one beyond a limit. Strings of the tree are valid UTF-8.
Result<JsonValue> parse_json(std::string_view bytes, const JsonLimits& limits = {});

// The members that this folder reads. `place` names the object in errors, which are kInvalidModel. A member that is
// absent or null is the fallback, or an error where there is none; so is a name that occurs twice.
class JsonObject {
 public:
  static Result<JsonObject> of(const JsonValue& value, std::string place);

  // nullptr where absent or null.
  Result<const JsonValue*> find(std::string_view name) const;
  Result<bool> boolean(std::string_view name, std::optional<bool> fallback = {}) const;
  // Between 0 and `maximum`.
  Result<std::int64_t> integer(std::string_view name, std::int64_t maximum) const;
  Result<std::string> string(std::string_view name, std::optional<std::string> fallback = {}) const;
  Result<const JsonValue::Array*> array(std::string_view name) const;
  Result<JsonObject> object(std::string_view name) const;

  [[nodiscard]] const std::string& place() const { return place_; }
  [[nodiscard]] tl::unexpected<Error> error(std::string_view what) const;

 private:
  JsonObject(const JsonValue::Object* members, std::string place) : members_(members), place_(std::move(place)) {}
  Result<const JsonValue*> required(std::string_view name) const;
  [[nodiscard]] tl::unexpected<Error> wrong(std::string_view name, std::string_view expected) const;

  const JsonValue::Object* members_;  // The tree outlives this view.
  std::string place_;
};

}  // namespace sida::tokenizer
