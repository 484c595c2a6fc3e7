// Which paths the public port has, and which method each takes. pages/openapi.json describes the same.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "router/http/http_request.h"
#include "router/http/reply.h"

namespace sida::router {

struct Route {
  std::string_view method;
  std::string_view path;  // May end with a name in braces, which stands for whatever a client names.
};

std::span<const Route> public_routes();

// What is wrong with path, method or content type; nothing: the request has a handler.
std::optional<Reply> refuse_route(const HttpRequest& request);

// The name at the end of a path such as /v1/models/NAME, %XX decoded; empty when the route has none.
std::string named_in(const HttpRequest& request);

// The path for logs and metrics: one of ours or "other", never a client's text.
std::string endpoint_label(const HttpRequest& request);

}  // namespace sida::router
