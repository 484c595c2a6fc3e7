// Errors as values. A function that can fail on bytes from outside (a file, a socket, a person) returns Result<T>;
// a programming mistake is a SIDA_CHECK.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace sida {

// Numbers travel in messages and become exit codes and HTTP statuses: never renumber. A code exists only where somebody
// does something different on it.
enum class ErrorCode : int {
  kInvalidArgument = 1,   // The caller's input is wrong: HTTP 400, exit code 2.
  kNotFound = 2,          // No such model, worker or route: HTTP 404.
  kInvalidModel = 3,      // A model, tokeniser, predictor or trace file is damaged or does not fit: exit code 3.
  kMismatch = 4,          // Peer has another version, model or numerics: the link is refused and not retried.
  kMalformedMessage = 5,  // Bytes from a socket do not decode: counted and dropped.
  kOverloaded = 6,        // A queue is full: HTTP 503 with Retry-After.
  kDeadlineExceeded = 7,  // The request's time is over: HTTP 504.
  kUnavailable = 8,       // Nobody can do it now (no worker, shutting down, still loading): HTTP 503.
  kCancelled = 9,         // The client went away.
  kIo = 10,               // The operating system refused: file, socket, memory.
  kInternal = 11,         // A library threw, or a child failed.
};

// The stable lower-case name, as in "error: <name>: <message>" and in the HTTP error object's `code`.
std::string_view name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // What, where, and what to do; one line.

  bool operator==(const Error&) const = default;
};

template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// Passes an error on with a place in front: "model.safetensors: tensor 'x': <message>".
[[nodiscard]] inline tl::unexpected<Error> fail_at(std::string_view place, Error error) {
  error.message.insert(0, std::string(place) + ": ");
  return tl::unexpected<Error>(std::move(error));
}

// "error: <name>: <message>": the one line in which a program ends when it fails.
std::string error_line(const Error& error);

// For main: 0, or the error's line on stderr and its exit code.
int exit_code_of(const Result<void>& result);

// Process exit code of an error: 1 failed, 2 usage or configuration, 3 invalid model.
int exit_code(ErrorCode code);

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace sida

// For programming mistakes only; stays on in release builds. Bytes from outside are never a check.
#define SIDA_CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::sida::check_failed(#expression, __FILE__, __LINE__))

#define SIDA_CONCAT_INNER(a, b) a##b
#define SIDA_CONCAT(a, b) SIDA_CONCAT_INNER(a, b)
#define SIDA_TRY_AS(result, expression)                                  \
  do {                                                                   \
    if (auto&& result = (expression); !result) {                         \
      return ::tl::unexpected<::sida::Error>(std::move(result).error()); \
    }                                                                    \
  } while (false)

// Leaves the enclosing function with the error of a Result<void>-like expression. The expression may hold a lambda with
// a SIDA_TRY of its own.
#define SIDA_TRY(expression) SIDA_TRY_AS(SIDA_CONCAT(sida_try_, __LINE__), expression)
