#include "router/http/admin_api.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "router/http/admin_page.h"
#include "router/http/json_fields.h"
#include "router/http/status_json.h"

namespace sida::router {
namespace {

constexpr std::int64_t kJsonDepthMax = 4;

// The NAME of /processes/NAME/failed.
std::optional<std::string> failed_process(std::string_view path) {
  constexpr std::string_view kBefore = "/processes/";
  constexpr std::string_view kAfter = "/failed";
  if (path.size() <= kBefore.size() + kAfter.size() || !path.starts_with(kBefore) || !path.ends_with(kAfter)) {
    return std::nullopt;
  }
  path.remove_prefix(kBefore.size());
  path.remove_suffix(kAfter.size());
  return std::string(path);
}

// {"why": "…"}. The content type keeps other sites' pages in a browser on this machine from posting here.
Reply note_failed(const HttpRequest& request, const std::string& process, Engine& engine) {
  if (request.method != "POST") {
    return method_refusal(request.method, "POST");
  }
  if (request.content_type != "application/json") {
    return error_reply({415, "unsupported_media_type", "send the header Content-Type: application/json", ""});
  }
  const auto body = parse_json_object(request.body, kJsonDepthMax);
  if (!body) {
    return error_reply(body.error());
  }
  JsonFields fields(*body);
  std::string why = fields.text("why", "");
  if (const auto done = fields.finish(); !done) {
    return error_reply(done.error());
  }
  if (const auto noted = engine.process_failed(process, std::move(why)); !noted) {
    return error_reply(api_error(noted.error()));
  }
  return json_reply({{"status", "noted"}});
}

}  // namespace

Reply answer_admin(const HttpRequest& request, Engine& engine, const HttpProbe& probe) {
  if (const auto process = failed_process(request.path)) {
    return note_failed(request, *process, engine);
  }
  const bool known = request.path == "/metrics" || request.path == "/status" || request.path == "/";
  if (!known) {
    return error_reply({404, "route_not_found", "no such path; there are /, /metrics and /status", ""});
  }
  if (!takes_method(request.method, "GET")) {
    return method_refusal(request.method, "GET");
  }
  if (request.path == "/status") {
    return json_reply(status_json(engine.status()));
  }
  Reply reply;
  if (request.path == "/metrics") {
    reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    reply.body = probe.text(engine.status());
  } else {
    reply.content_type = "text/html; charset=utf-8";
    // The page runs no script of others and is shown in no frame.
    reply.headers.emplace_back("Content-Security-Policy",
                               "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src "
                               "'self'; frame-ancestors 'none'");
    reply.body = kAdminPage;
  }
  return reply;
}

}  // namespace sida::router
