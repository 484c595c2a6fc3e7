#include "router/http/admin_api.h"

#include "router/http/admin_page.h"
#include "router/http/status_json.h"

namespace sida::router {

Reply answer_admin(const HttpRequest& request, const Engine& engine, const HttpProbe& probe) {
  const bool known = request.path == "/metrics" || request.path == "/status" || request.path == "/";
  if (!known) {
    return error_reply({404, "route_not_found", "no such path; there are /, /metrics and /status", ""});
  }
  if (request.method != "GET") {
    return error_reply({405, "method_not_allowed", "this path takes GET only", ""});
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
