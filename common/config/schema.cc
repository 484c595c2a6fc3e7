#include "common/config/schema.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/config/quantity.h"

namespace sida::config {
namespace {

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : separator) + word;
  }
  return text;
}

// Parses with `parse`, then stores what it gave.
template <typename T, typename ParseOne>
auto store_one(T& target, ParseOne parse) {
  return [&target, parse = std::move(parse)](const std::vector<std::string>& values) -> Result<void> {
    auto value = parse(values.front());
    if (!value) {
      return tl::unexpected<Error>(std::move(value).error());
    }
    target = static_cast<T>(*value);
    return {};
  };
}

std::string shown(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  return text.ends_with('.') ? text + "0" : text;
}

Result<std::vector<std::int32_t>> parse_ids(const std::string& text) {
  std::vector<std::int32_t> ids;
  std::size_t begin = text.empty() ? 1 : 0;  // No text is no id; "1," is one id too few.
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto first = text.find_first_not_of(' ', begin);
    const auto value = parse_integer(first < end ? text.substr(first, end - first) : "");
    if (!value || *value < 0 || *value > std::numeric_limits<std::int32_t>::max()) {
      return fail(ErrorCode::kInvalidArgument, "'" + text + "' is not a list of ids (write 1,2,3)");
    }
    ids.push_back(static_cast<std::int32_t>(*value));
    begin = end + 1;
  }
  return ids;
}

std::string shown(const std::vector<std::int32_t>& ids) {
  std::string text;
  for (const std::int32_t id : ids) {
    text += (text.empty() ? "" : ",") + std::to_string(id);
  }
  return text;
}

}  // namespace

Option& Option::placeholder(std::string word) {
  placeholder_ = std::move(word);
  return *this;
}

Option& Option::required() {
  required_ = true;
  return *this;
}

Option& Option::zero_means(std::string text) {
  zero_text_ = std::move(text);
  if (default_text_ == "0.0") default_text_ = "0";  // A number's.
  return *this;
}

Option& Option::secret() {
  secret_ = true;
  return *this;
}

Option& Option::positional() {
  shape_ = Shape::kPositional;
  return *this;
}

std::string Option::variable() const {
  std::string variable = "SIDA_" + name_;
  std::transform(variable.begin(), variable.end(), variable.begin(),
                 [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::toupper(c)); });
  return variable;
}

Result<void> Option::assign(const std::vector<std::string>& values, Source source) {
  source_ = source;  // Even when the value is wrong: it is then not missing as well.
  if (values.empty() || (shape_ != Shape::kList && values.size() != 1)) {
    return fail(ErrorCode::kInvalidArgument, values.empty() ? "has no value" : "is given more than once");
  }
  return parse_(values);
}

Schema::Schema(std::string program, std::string summary) : program_(std::move(program)), summary_(std::move(summary)) {}

Option& Schema::add(std::string name, std::string help, Option::Shape shape, Option::Parse parse,
                    std::function<std::vector<std::string>()> show) {
  SIDA_CHECK(find(name) == nullptr);
  auto option = std::make_unique<Option>();
  option->name_ = std::move(name);
  option->help_ = std::move(help);
  option->shape_ = shape;
  option->parse_ = std::move(parse);
  option->show_ = std::move(show);
  option->default_text_ = joined(option->show_(), ", ");
  options_.push_back(std::move(option));
  return *options_.back();
}

Option& Schema::text(std::string name, std::string& target, std::string help) {
  auto parse = store_one(target, [](const std::string& value) { return Result<std::string>(value); });
  return add(std::move(name), std::move(help), Option::Shape::kValue, parse, [&target] { return std::vector{target}; })
      .placeholder("TEXT");
}

Option& Schema::texts(std::string name, std::vector<std::string>& target, std::string help) {
  auto parse = [&target](const std::vector<std::string>& values) -> Result<void> {
    target = values;
    return {};
  };
  return add(std::move(name), std::move(help), Option::Shape::kList, parse, [&target] { return target; })
      .placeholder("TEXT");
}

Option& Schema::toggle(std::string name, bool& target, std::string help) {
  return add(std::move(name), std::move(help), Option::Shape::kSwitch, store_one(target, parse_switch),
             [&target] { return std::vector<std::string>{target ? "true" : "false"}; });
}

Option& Schema::integer(std::string name, std::int64_t& target, Range range, std::string help) {
  auto parse = [range](const std::string& text) -> Result<std::int64_t> {
    auto value = parse_integer(text);
    if (value && (*value < range.min || *value > range.max)) {
      return fail(ErrorCode::kInvalidArgument,
                  "'" + text + "' is outside " + std::to_string(range.min) + " to " + std::to_string(range.max));
    }
    return value;
  };
  return add(std::move(name), std::move(help), Option::Shape::kValue, store_one(target, parse),
             [&target] { return std::vector{std::to_string(target)}; })
      .placeholder("N");
}

Option& Schema::integers(std::string name, std::vector<std::int32_t>& target, std::string help) {
  return add(std::move(name), std::move(help), Option::Shape::kValue, store_one(target, parse_ids),
             [&target] { return std::vector{shown(target)}; })
      .placeholder("1,2,3");
}

Option& Schema::number(std::string name, double& target, double min, double max, std::string help) {
  auto parse = [min, max](const std::string& text) -> Result<double> {
    auto value = parse_number(text);
    if (value && (*value < min || *value > max)) {
      return fail(ErrorCode::kInvalidArgument, "'" + text + "' is outside " + shown(min) + " to " + shown(max));
    }
    return value;
  };
  return add(std::move(name), std::move(help), Option::Shape::kValue, store_one(target, parse),
             [&target] { return std::vector{shown(target)}; })
      .placeholder("X");
}

Option& Schema::size(std::string name, std::uint64_t& bytes, std::string help) {
  return add(std::move(name), std::move(help), Option::Shape::kValue, store_one(bytes, parse_size),
             [&bytes] { return std::vector{format_size(bytes)}; })
      .placeholder("SIZE");
}

Option& Schema::duration(std::string name, std::chrono::milliseconds& target, std::string help) {
  return add(std::move(name), std::move(help), Option::Shape::kValue, store_one(target, parse_duration),
             [&target] { return std::vector{format_duration(target)}; })
      .placeholder("DURATION");
}

Option& Schema::choice(std::string name, std::string& target, std::vector<std::string> choices, std::string help) {
  const std::string words = joined(choices, "|");
  auto parse = [choices = std::move(choices), words](const std::string& text) -> Result<std::string> {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      return fail(ErrorCode::kInvalidArgument, "'" + text + "' is not one of " + words);
    }
    return text;
  };
  return add(std::move(name), std::move(help), Option::Shape::kValue, store_one(target, parse),
             [&target] { return std::vector{target}; })
      .placeholder(words);
}

void Schema::rule(std::function<void(std::vector<std::string>&)> check) {
  rules_.push_back(std::move(check));
}

void Schema::example(std::string command) {
  examples_.push_back(std::move(command));
}

Option* Schema::find(const std::string& name) const {
  for (const auto& option : options_) {
    if (option->name() == name) {
      return option.get();
    }
  }
  return nullptr;
}

std::vector<std::string> Schema::validate() const {
  std::vector<std::string> problems;
  for (const auto& option : options_) {
    if (option->is_required() && option->source() == Source::kDefault) {
      problems.push_back(option->shape() == Option::Shape::kPositional
                             ? option->placeholder() + " is missing (" + option->help() + ")"
                             : "--" + option->name() + " " + option->placeholder() + " is missing (" + option->help() +
                                   "; or set " + option->variable() + ")");
    }
  }
  for (const auto& rule : rules_) {
    rule(problems);
  }
  return problems;
}

}  // namespace sida::config
