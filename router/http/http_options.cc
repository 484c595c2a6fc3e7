#include "router/http/http_options.h"

namespace sida::router {
namespace {

void describe_limits(config::Schema& schema, HttpLimits& l) {
  schema.integer("max-connections", l.connections_max, {1, 65535}, "open HTTP connections; more are refused with 503");
  schema.size("max-header-bytes", l.header_bytes_max, "bytes of request line and headers; more are refused with 431");
  schema.integer("max-headers", l.headers_max, {1, 1000}, "headers of a request; more are refused with 431");
  schema.integer("max-target-bytes", l.target_bytes_max, {16, 65536}, "bytes of path and query; more: 414");
  schema.size("max-body-bytes", l.body_bytes_max, "bytes of a request's body; more are refused with 413");
  schema.integer("max-json-depth", l.json_depth_max, {2, 200}, "nesting of a body; more is refused with 400");
  schema.integer("max-prompts", l.prompts_max, {1, 4096}, "prompts times n of a request; more are refused with 400");
  schema.integer("max-prompt-tokens", l.prompt_tokens_max, {1, 65536}, "tokens of a prompt; more: 400");
  schema.integer("max-output-tokens", l.output_tokens_max, {1, 65536}, "tokens generated per prompt; more: 400");
  schema.integer("max-request-tokens", l.request_tokens_max, {1, 1'000'000'000},
                 "tokens of all prompts of a request and max_tokens of each, times n; more: 400");
  schema.duration("idle-timeout", l.idle_timeout, "between two requests of a connection; then it is closed");
  schema.duration("header-timeout", l.header_timeout, "for a request's headers to arrive; then it is closed");
  schema.duration("body-timeout", l.body_timeout, "for a request's body to arrive; then it is closed");
  schema.duration("write-timeout", l.write_timeout, "for a client to take a response; then it is closed");
  schema.duration("request-timeout", l.request_timeout, "from accepted to answered; then the answer is 504");
  schema.rule([&l](std::vector<std::string>& problems) {
    for (const auto timeout : {l.idle_timeout, l.header_timeout, l.body_timeout, l.write_timeout, l.request_timeout}) {
      if (timeout.count() == 0) {
        problems.emplace_back("the timeouts of HTTP must be above 0: an endless one lets a client hold a connection");
        return;
      }
    }
  });
}

}  // namespace

void describe_http(config::Schema& schema, HttpOptions& options) {
  schema.text("host", options.host, "address that the API binds").placeholder("ADDRESS");
  schema.integer("port", options.port, {0, 65535}, "port of the API").zero_means("any free port");
  schema.text("admin-host", options.admin_host, "address of metrics, status and dashboard").placeholder("ADDRESS");
  schema.integer("admin-port", options.admin_port, {0, 65535}, "port of metrics, status and dashboard")
      .zero_means("any free port");
  config::describe_access(schema, options.access);
  describe_limits(schema, options.limits);
  schema.duration(
      "shutdown-grace", options.shutdown_grace,
      "for open requests to be answered after SIGTERM or SIGINT; new ones get 503; a second signal ends it");
}

}  // namespace sida::router
