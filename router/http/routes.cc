#include "router/http/routes.h"

#include <algorithm>
#include <array>

namespace sida::router {
namespace {

constexpr std::array kRoutes{
    Route{"POST", "/v1/completions"}, Route{"POST", "/v1/score"},    Route{"GET", "/v1/models"},
    Route{"POST", "/tokenize"},       Route{"POST", "/detokenize"},  Route{"GET", "/version"},
    Route{"GET", "/health"},          Route{"GET", "/openapi.json"},
};

const Route* find(const std::string& path) {
  const auto route = std::ranges::find(kRoutes, path, &Route::path);
  return route == kRoutes.end() ? nullptr : &*route;
}

}  // namespace

std::span<const Route> public_routes() {
  return kRoutes;
}

// Requiring the content type keeps other sites' pages in a browser on this machine from posting here.
std::optional<Reply> refuse_route(const HttpRequest& request) {
  const Route* route = find(request.path);
  if (route == nullptr) {
    return error_reply({404, "route_not_found", "no such path; /openapi.json and docs/api.md list them", ""});
  }
  if (!takes_method(request.method, route->method)) {
    return method_refusal(request.method, std::string(route->method));
  }
  if (route->method == "POST" && request.content_type != "application/json") {
    return error_reply({415, "unsupported_media_type", "send the header Content-Type: application/json", ""});
  }
  return std::nullopt;
}

std::string endpoint_label(const HttpRequest& request) {
  return find(request.path) == nullptr ? "other" : request.path;
}

}  // namespace sida::router
