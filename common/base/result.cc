#include "common/base/result.h"

#include <cstdio>
#include <cstdlib>

namespace sida {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kInvalidModel:
      return "invalid_model";
    case ErrorCode::kMismatch:
      return "mismatch";
    case ErrorCode::kMalformedMessage:
      return "malformed_message";
    case ErrorCode::kOverloaded:
      return "overloaded";
    case ErrorCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 2;
    case ErrorCode::kInvalidModel:
    case ErrorCode::kMismatch:
      return 3;
    default:
      return 1;
  }
}

std::string error_line(const Error& error) {
  return "error: " + std::string(name(error.code)) + ": " + error.message;
}

int exit_code_of(const Result<void>& result) {
  if (result) return 0;
  std::fprintf(stderr, "%s\n", error_line(result.error()).c_str());
  return exit_code(result.error().code);
}

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace sida
