#include "router/http/wire_request.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string>

namespace sida::router {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

// Two readings of where a request ends, or of whom it is for, are how requests are smuggled past a proxy. Stricter than
// the parser, which takes a length that is given twice alike, and leaves codings that it does not know to the handler.
ApiResult<void> check_framing(const WireParser::value_type& request) {
  const auto malformed = [](const char* message) {
    return tl::unexpected<ApiError>(ApiError{400, "malformed_request", message, ""});
  };
  const std::size_t lengths = request.count(http::field::content_length);
  const std::size_t codings = request.count(http::field::transfer_encoding);
  if (lengths > 0 && codings > 0) return malformed("both Content-Length and Transfer-Encoding are given");
  const auto length = request[http::field::content_length];
  if (lengths > 1 || !std::all_of(length.begin(), length.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return malformed("more than one Content-Length, or one that is no number");
  }
  if (codings > 1 || (codings == 1 && !beast::iequals(request[http::field::transfer_encoding], "chunked"))) {
    return malformed("a Transfer-Encoding other than chunked");
  }
  const std::size_t hosts = request.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && request.version() > 10)) return malformed("not exactly one Host header");
  return {};
}

}  // namespace

std::optional<ApiError> wire_error(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return ApiError{431, "headers_too_large", "request line and headers are too large", ""};
  }
  if (error == http::error::body_limit) {
    return ApiError{413, "body_too_large", "the body is too large", ""};
  }
  if (error.category() == make_error_code(http::error::bad_method).category() && error != http::error::end_of_stream &&
      error != http::error::partial_message) {
    return ApiError{400, "malformed_request", "not a well-formed HTTP/1.1 request", ""};
  }
  return std::nullopt;
}

ApiResult<void> check_headers(const WireParser& parser, const HttpLimits& limits) {
  const auto& request = parser.get();
  if (static_cast<std::int64_t>(request.target().size()) > limits.target_bytes_max) {
    return tl::unexpected<ApiError>(ApiError{414, "target_too_long", "the path is too long", ""});
  }
  if (std::distance(request.begin(), request.end()) > limits.headers_max) {
    return tl::unexpected<ApiError>(ApiError{431, "too_many_headers", "too many headers", ""});
  }
  return check_framing(request);
}

HttpRequest plain_request(http::request<http::string_body>&& request) {
  HttpRequest plain;
  plain.method = std::string(request.method_string());
  const std::string target(request.target());
  const std::size_t question = target.find('?');
  plain.path = target.substr(0, question);
  if (question != std::string::npos) plain.query = target.substr(question + 1);
  std::string type(request[http::field::content_type]);
  type = type.substr(0, type.find(';'));
  type.erase(std::find_if(type.rbegin(), type.rend(), [](char c) { return c != ' ' && c != '\t'; }).base(), type.end());
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  plain.content_type = std::move(type);
  plain.trace_parent = std::string(request["traceparent"]);
  plain.id = std::string(request["x-request-id"]);
  if (const auto deadline = request.find("x-request-timeout-ms"); deadline != request.end()) {
    plain.deadline = std::string(deadline->value());
  }
  plain.authorization = std::string(request[http::field::authorization]);
  plain.origin = std::string(request[http::field::origin]);
  plain.body = std::move(request.body());
  return plain;
}

}  // namespace sida::router
