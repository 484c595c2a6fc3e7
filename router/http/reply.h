// What a handler answers, without a socket: replies and errors in OpenAI's form.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace sida::router {

struct Reply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string outcome = "ok";  // The error's code, or "ok"; a label of sida_requests_total.
};

// An error that a client sees. `code` is stable and documented in docs/api.md; no internal name is in `message`.
struct ApiError {
  unsigned status = 400;
  std::string code = "invalid_argument";
  std::string message;
  std::string param;  // The field of the request that is at fault; empty: none.

  bool operator==(const ApiError&) const = default;
};

template <typename T>
using ApiResult = tl::expected<T, ApiError>;

[[nodiscard]] inline tl::unexpected<ApiError> refuse(std::string param, std::string message) {
  return tl::unexpected<ApiError>(ApiError{400, "invalid_argument", std::move(message), std::move(param)});
}

// The status and code of an engine's error.
ApiError api_error(const Error& error);

// One line of UTF-8: text of a tokeniser or a client may be none, and is then replaced.
std::string dump_json(const nlohmann::json& body);

Reply json_reply(const nlohmann::json& body);
// {"error": {"message", "type", "param", "code"}}; with Retry-After on 503.
Reply error_reply(const ApiError& error);
// 405. `allowed`: the method that the path takes. HEAD goes with GET.
Reply method_refusal(const std::string& method, const std::string& allowed);

// Whether a request of this method is one for `allowed`. The answer to HEAD is that to GET; its body is not sent.
[[nodiscard]] inline bool takes_method(std::string_view method, std::string_view allowed) {
  return method == allowed || (method == "HEAD" && allowed == "GET");
}

}  // namespace sida::router
