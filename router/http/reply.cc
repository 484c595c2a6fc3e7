#include "router/http/reply.h"

namespace sida::router {
namespace {

unsigned status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kOverloaded:
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kDeadlineExceeded:
      return 504;
    case ErrorCode::kCancelled:
      return 499;  // As nginx logs it; the client that went away never reads it.
    default:
      return 500;
  }
}

}  // namespace

std::string dump_json(const nlohmann::json& body) {
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ApiError api_error(const Error& error) {
  const unsigned status = status_of(error.code);
  // The text of an internal error can name files and peers; the log has it, the client needs the code.
  return {status, std::string(name(error.code)), status == 500 ? "the server failed; its log says why" : error.message,
          ""};
}

Reply json_reply(const nlohmann::json& body) {
  Reply reply;
  reply.body = dump_json(body) + "\n";
  return reply;
}

Reply error_reply(const ApiError& error) {
  const char* type = error.status >= 500 ? "server_error" : "invalid_request_error";
  Reply reply = json_reply({{"error",
                             {{"message", error.message},
                              {"type", type},
                              {"param", error.param.empty() ? nlohmann::json() : nlohmann::json(error.param)},
                              {"code", error.code}}}});
  reply.status = error.status;
  reply.outcome = error.code;
  if (error.status == 503) {
    reply.headers.emplace_back("Retry-After", "1");
  }
  return reply;
}

Reply method_refusal(const std::string& method, const std::string& allowed) {
  Reply reply = error_reply({405, "method_not_allowed", "this path takes " + allowed + ", not " + method, ""});
  reply.headers.emplace_back("Allow", allowed == "GET" ? "GET, HEAD" : allowed);
  return reply;
}

}  // namespace sida::router
