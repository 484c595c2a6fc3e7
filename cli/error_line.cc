#include "cli/error_line.h"

#include <string_view>

namespace sida::cli {
namespace {

constexpr std::string_view kPrefix = "error: ";

}  // namespace

std::optional<Error> parse_error_line(const std::string& line) {
  if (!line.starts_with(kPrefix)) {
    return std::nullopt;
  }
  const std::string rest = line.substr(kPrefix.size());
  const std::size_t colon = rest.find(": ");
  const auto code = error_code_named(rest.substr(0, colon));
  if (!code || colon == std::string::npos) {
    return Error{ErrorCode::kInternal, rest};
  }
  return Error{*code, rest.substr(colon + 2)};
}

std::optional<ErrorCode> error_code_named(const std::string& wanted) {
  for (int number = 1; number <= static_cast<int>(ErrorCode::kInternal); ++number) {
    if (name(static_cast<ErrorCode>(number)) == wanted) {
      return static_cast<ErrorCode>(number);
    }
  }
  return std::nullopt;
}

}  // namespace sida::cli
