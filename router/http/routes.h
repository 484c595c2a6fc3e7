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
  // A segment in braces stands for whatever a client names: one segment, or at the end the whole rest.
  std::string_view path;
};

std::span<const Route> public_routes();

// The route that a path is of; nullptr: none.
const Route* find_route(std::string_view path);

// What is wrong with path, method or content type; nothing: the request has a handler.
std::optional<Reply> refuse_route(const HttpRequest& request);

// The name in a path such as /v1/models/NAME, %XX decoded; empty when the route has none.
std::string named_in(const HttpRequest& request);

// Whether the path belongs to the Open Inference Protocol, which has a form of its own for errors.
bool is_inference_protocol(std::string_view path);

// The route's path for logs and metrics, or "other": never a client's text.
std::string endpoint_label(const HttpRequest& request);

}  // namespace sida::router
