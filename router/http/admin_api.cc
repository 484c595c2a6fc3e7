#include "router/http/admin_api.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "router/http/dashboard.h"
#include "router/http/experts_json.h"
#include "router/http/json_fields.h"
#include "router/http/status_json.h"

namespace sida::router {
namespace {

constexpr std::int64_t kJsonDepthMax = 4;

// The NAME of BEFORE NAME AFTER, as in /processes/NAME/failed.
std::optional<std::string> name_between(std::string_view path, std::string_view before, std::string_view after) {
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after)) {
    return std::nullopt;
  }
  path.remove_prefix(before.size());
  path.remove_suffix(after.size());
  return std::string(path);
}

// The content type keeps other sites' pages in a browser on this machine from posting here.
// What changes the cluster is for programs on this host. A page in the operator's browser could reach the loopback
// address too, under a name that it made point there; browsers mark what pages send.
std::optional<Reply> refuse_post(const HttpRequest& request) {
  if (request.method != "POST") return method_refusal(request.method, "POST");
  if (!request.origin.empty()) {
    return error_reply({403, "forbidden", "pages in a browser may not change the cluster; use curl", ""});
  }
  if (request.content_type != "application/json") {
    return error_reply({415, "unsupported_media_type", "send the header Content-Type: application/json", ""});
  }
  return std::nullopt;
}

}  // namespace

AdminApi::AdminApi(Engine& engine, std::string model_name, const HttpProbe& probe)
    : engine_(engine),
      model_name_(std::move(model_name)),
      probe_(probe),
      page_policy_(content_security_policy(dashboard_page())) {
  SIDA_CHECK(!page_policy_.empty());
}

// {"why": "…"}
Reply AdminApi::note_failed(const HttpRequest& request, const std::string& process) {
  if (auto refused = refuse_post(request)) return *std::move(refused);
  const auto body = parse_json_object(request.body, kJsonDepthMax);
  if (!body) {
    return error_reply(body.error());
  }
  JsonFields fields(*body);
  std::string why = fields.text("why", "");
  if (const auto done = fields.finish(); !done) {
    return error_reply(done.error());
  }
  if (const auto noted = engine_.process_failed(process, std::move(why)); !noted) {
    return error_reply(api_error(noted.error()));
  }
  return json_reply({{"status", "noted"}});
}

// No body, or {}.
Reply AdminApi::order(const HttpRequest& request, const std::string& worker, bool drain) {
  if (auto refused = refuse_post(request)) return *std::move(refused);
  if (!request.body.empty()) {
    const auto body = parse_json_object(request.body, kJsonDepthMax);
    const auto done = body ? JsonFields(*body).finish() : ApiResult<void>(tl::unexpected<ApiError>(body.error()));
    if (!done) return error_reply(done.error());
  }
  const auto asked = drain ? engine_.drain_worker(worker) : engine_.undrain_worker(worker);
  if (!asked) return error_reply(api_error(asked.error()));
  Reply reply = json_reply({{"status", "asked"}});
  reply.status = 202;
  return reply;
}

Reply AdminApi::status(const HttpRequest& request) const {
  const RouterStatus status = engine_.status();
  nlohmann::json json = status_json(status);
  json["model"]["name"] = model_name_;
  if (request.query == "experts=1") {
    json["experts"] = experts_json(status);
  } else if (!request.query.empty()) {
    return error_reply({400, "invalid_argument", "/status takes no query but experts=1", "experts"});
  }
  Reply reply = json_reply(json);
  reply.headers.emplace_back("Cache-Control", "no-store");
  return reply;
}

Reply AdminApi::page() const {
  Reply reply;
  reply.content_type = "text/html; charset=utf-8";
  reply.headers = {{"Content-Security-Policy", page_policy_},
                   {"X-Content-Type-Options", "nosniff"},
                   {"Referrer-Policy", "no-referrer"},
                   {"Cache-Control", "no-cache"}};
  reply.body = dashboard_page();
  return reply;
}

Reply AdminApi::answer(const HttpRequest& request) {
  if (const auto process = name_between(request.path, "/processes/", "/failed")) return note_failed(request, *process);
  if (const auto worker = name_between(request.path, "/workers/", "/drain")) return order(request, *worker, true);
  if (const auto worker = name_between(request.path, "/workers/", "/undrain")) return order(request, *worker, false);
  const bool known = request.path == "/metrics" || request.path == "/status" || request.path == "/";
  if (!known) {
    return error_reply({404, "route_not_found",
                        "no such path; there are /, /metrics, /status and /workers/NAME/drain or /undrain", ""});
  }
  if (!takes_method(request.method, "GET")) {
    return method_refusal(request.method, "GET");
  }
  if (request.path == "/status") {
    return status(request);
  }
  if (request.path == "/") {
    return page();
  }
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = probe_.text(engine_.status());
  return reply;
}

}  // namespace sida::router
