#include "common/tokenizer/json_value.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "common/tokenizer/json_number.h"

namespace sida::tokenizer {
namespace {

// Builds the tree from the parser's events; a method that returns false ends parsing.
class TreeBuilder {
 public:
  explicit TreeBuilder(const JsonLimits& limits) : limits_(limits) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(std::int64_t value) { return add(value); }
  bool number_unsigned(std::uint64_t value) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return add(static_cast<double>(value));
    }
    return add(static_cast<std::int64_t>(value));
  }
  bool number_float(double /*value*/, const std::string& text) {
    const auto number = parse_json_number(text);
    return number ? add(*number) : stop("the number " + text.substr(0, 40) + " is out of range");
  }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(std::vector<std::uint8_t>& /*value*/) { return stop("binary values are no JSON"); }

  bool start_object(std::size_t /*size*/) { return open(JsonValue::Object{}); }
  bool start_array(std::size_t /*size*/) { return open(JsonValue::Array{}); }
  bool key(std::string& name) {
    key_ = std::move(name);
    return true;
  }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool parse_error(std::size_t position, const std::string& /*token*/, const nlohmann::json::exception& /*error*/) {
    return stop("not valid JSON near byte " + std::to_string(position));
  }

  JsonValue root;
  std::string problem;

 private:
  bool stop(std::string what) {
    problem = std::move(what);
    return false;
  }

  // Where the value went, or nullptr at the limit. The parents on the stack stay in place while a child is being
  // filled, since only the innermost one grows.
  JsonValue* place(JsonValue value) {
    if (++values_ > limits_.values) {
      stop("more than " + std::to_string(limits_.values) + " values");
      return nullptr;
    }
    if (stack_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (auto* array = std::get_if<JsonValue::Array>(&stack_.back()->value)) {
      return &array->emplace_back(std::move(value));
    }
    auto& object = std::get<JsonValue::Object>(stack_.back()->value);
    return &object.emplace_back(JsonMember{std::move(key_), std::move(value)}).value;
  }

  template <typename T>
  bool add(T value) {
    return place(JsonValue{std::move(value)}) != nullptr;
  }

  template <typename T>
  bool open(T value) {
    if (stack_.size() >= limits_.depth) {
      return stop("nested deeper than " + std::to_string(limits_.depth));
    }
    JsonValue* placed = place(JsonValue{std::move(value)});
    if (placed == nullptr) {
      return false;
    }
    stack_.push_back(placed);
    return true;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  std::vector<JsonValue*> stack_;
  std::string key_;
  std::size_t values_ = 0;
};

std::string quoted(std::string_view name) {
  return std::string(1, '\'').append(name).append(1, '\'');
}

}  // namespace

Result<JsonValue> parse_json(std::string_view bytes, const JsonLimits& limits) {
  if (bytes.size() > limits.bytes) {
    return fail(ErrorCode::kInvalidModel, "larger than " + std::to_string(limits.bytes) + " bytes");
  }
  TreeBuilder builder(limits);
  try {
    if (!nlohmann::json::sax_parse(bytes.begin(), bytes.end(), &builder)) {
      return fail(ErrorCode::kInvalidModel, builder.problem);
    }
  } catch (const std::exception& exception) {
    return fail(ErrorCode::kInvalidModel, std::string("cannot be parsed: ") + exception.what());
  }
  return std::move(builder.root);
}

Result<JsonObject> JsonObject::of(const JsonValue& value, std::string place) {
  const auto* members = value.as<JsonValue::Object>();
  if (members == nullptr) {
    return fail(ErrorCode::kInvalidModel, place + " is not an object");
  }
  return JsonObject(members, std::move(place));
}

tl::unexpected<Error> JsonObject::error(std::string_view what) const {
  return fail(ErrorCode::kInvalidModel, place_ + ": " + std::string(what));
}

tl::unexpected<Error> JsonObject::wrong(std::string_view name, std::string_view expected) const {
  return error(quoted(name).append(" is not ").append(expected));
}

Result<const JsonValue*> JsonObject::find(std::string_view name) const {
  const JsonValue* found = nullptr;
  for (const JsonMember& member : *members_) {
    if (member.name != name) {
      continue;
    }
    if (found != nullptr) {
      return error(quoted(name) + " occurs twice");
    }
    found = &member.value;
  }
  return found != nullptr && found->is_null() ? nullptr : found;
}

Result<const JsonValue*> JsonObject::required(std::string_view name) const {
  auto found = find(name);
  if (found && *found == nullptr) {
    return error(quoted(name) + " is missing");
  }
  return found;
}

Result<bool> JsonObject::boolean(std::string_view name, std::optional<bool> fallback) const {
  const auto found = fallback ? find(name) : required(name);
  SIDA_TRY(found);
  if (*found == nullptr) {
    return *fallback;
  }
  const bool* value = (*found)->as<bool>();
  return value != nullptr ? Result<bool>(*value) : wrong(name, "true or false");
}

Result<std::int64_t> JsonObject::integer(std::string_view name, std::int64_t maximum) const {
  const auto found = required(name);
  SIDA_TRY(found);
  const auto* value = (*found)->as<std::int64_t>();
  if (value == nullptr || *value < 0 || *value > maximum) {
    return wrong(name, "an integer from 0 to " + std::to_string(maximum));
  }
  return *value;
}

Result<std::string> JsonObject::string(std::string_view name, std::optional<std::string> fallback) const {
  const auto found = fallback ? find(name) : required(name);
  SIDA_TRY(found);
  if (*found == nullptr) {
    return *std::move(fallback);
  }
  const auto* value = (*found)->as<std::string>();
  return value != nullptr ? Result<std::string>(*value) : wrong(name, "a string");
}

Result<const JsonValue::Array*> JsonObject::array(std::string_view name) const {
  const auto found = required(name);
  SIDA_TRY(found);
  const auto* value = (*found)->as<JsonValue::Array>();
  return value != nullptr ? Result<const JsonValue::Array*>(value) : wrong(name, "an array");
}

Result<JsonObject> JsonObject::object(std::string_view name) const {
  const auto found = required(name);
  SIDA_TRY(found);
  return of(**found, place_ + "." + std::string(name));
}

}  // namespace sida::tokenizer
