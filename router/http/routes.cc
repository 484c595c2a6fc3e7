#include "router/http/routes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "router/http/inference_protocol.h"

namespace sida::router {
namespace {

// The first that a path is of counts.
constexpr std::array kRoutes{
    Route{"POST", "/v1/completions"},
    Route{"POST", "/v1/score"},
    Route{"GET", "/v1/models"},
    Route{"GET", "/v1/models/{model}"},
    Route{"POST", "/tokenize"},
    Route{"POST", "/detokenize"},
    Route{"GET", "/version"},
    Route{"GET", "/health"},
    Route{"GET", "/openapi.json"},
    Route{"GET", "/v2"},
    Route{"GET", "/v2/health/live"},
    Route{"GET", "/v2/health/ready"},
    Route{"GET", "/v2/models/{model}/ready"},
    Route{"POST", "/v2/models/{model}/infer"},
    Route{"GET", "/v2/models/{model}"},
};

// The first segment of a path that starts with '/', which it takes off.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

// What stands for the route's braces; nothing where the path is not of this route.
std::optional<std::string_view> match(std::string_view route, std::string_view path) {
  std::string_view name;
  while (route.starts_with('/') && path.starts_with('/')) {
    const std::string_view wanted = take_segment(route);
    const std::string_view rest = path.substr(1);
    const std::string_view found = take_segment(path);
    if (!wanted.starts_with('{')) {
      if (wanted != found) return std::nullopt;
      continue;
    }
    if (rest.empty() || found.empty()) return std::nullopt;
    if (route.empty()) return rest;
    name = found;
  }
  return route.empty() && path.empty() ? std::optional(name) : std::nullopt;
}

// %XX as the byte it stands for; anything else stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned byte = 0;
    const char* const digits = text.data() + at + 1;
    const bool escaped =
        text[at] == '%' && text.size() - at > 2 && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
    decoded += escaped ? static_cast<char>(byte) : text[at];
    at += escaped ? 2 : 0;
  }
  return decoded;
}

// Requiring the content type keeps other sites' pages in a browser on this machine from posting here. Clients of the
// inference protocol send none; they are no browsers, which name the page.
bool has_json(const HttpRequest& request) {
  const bool client_without_type =
      is_inference_protocol(request.path) && request.content_type.empty() && request.origin.empty();
  return client_without_type || request.content_type == "application/json";
}

Reply refusal(const HttpRequest& request, const ApiError& error) {
  return is_inference_protocol(request.path) ? protocol_error(error) : error_reply(error);
}

}  // namespace

std::span<const Route> public_routes() {
  return kRoutes;
}

const Route* find_route(std::string_view path) {
  const auto* route =
      std::ranges::find_if(kRoutes, [path](const Route& known) { return match(known.path, path).has_value(); });
  return route == kRoutes.end() ? nullptr : route;
}

std::optional<Reply> refuse_route(const HttpRequest& request) {
  const Route* route = find_route(request.path);
  if (route == nullptr) {
    return refusal(request, {404, "route_not_found", "no such path; /openapi.json and docs/api.md list them", ""});
  }
  if (!takes_method(request.method, route->method)) {
    return method_refusal(request.method, std::string(route->method));
  }
  if (route->method == "POST" && !has_json(request)) {
    return refusal(request, {415, "unsupported_media_type", "send the header Content-Type: application/json", ""});
  }
  return std::nullopt;
}

std::string named_in(const HttpRequest& request) {
  const Route* route = find_route(request.path);
  return route == nullptr ? "" : percent_decoded(*match(route->path, request.path));
}

bool is_inference_protocol(std::string_view path) {
  return path == "/v2" || path.starts_with("/v2/");
}

std::string endpoint_label(const HttpRequest& request) {
  const Route* route = find_route(request.path);
  return route == nullptr ? "other" : std::string(route->path);
}

}  // namespace sida::router
