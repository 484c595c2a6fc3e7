#include "router/http/routes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace sida::router {
namespace {

constexpr std::array kRoutes{
    Route{"POST", "/v1/completions"},   Route{"POST", "/v1/score"},   Route{"GET", "/v1/models"},
    Route{"POST", "/tokenize"},         Route{"POST", "/detokenize"}, Route{"GET", "/version"},
    Route{"GET", "/v1/models/{model}"}, Route{"GET", "/health"},      Route{"GET", "/openapi.json"},
};

// Of a route with a name in braces, what is before it; else npos.
std::size_t name_from(const Route& route) {
  return route.path.find('{');
}

bool leads_to(const Route& route, std::string_view path) {
  const std::size_t name = name_from(route);
  if (name == std::string_view::npos) return path == route.path;
  return path.size() > name && path.starts_with(route.path.substr(0, name));
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

const Route* find(const std::string& path) {
  const auto route = std::ranges::find_if(kRoutes, [&path](const Route& known) { return leads_to(known, path); });
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

std::string named_in(const HttpRequest& request) {
  const Route* route = find(request.path);
  const std::size_t from = route == nullptr ? std::string::npos : name_from(*route);
  return from == std::string::npos ? "" : percent_decoded(std::string_view(request.path).substr(from));
}

std::string endpoint_label(const HttpRequest& request) {
  const Route* route = find(request.path);
  return route == nullptr ? "other" : std::string(route->path);
}

}  // namespace sida::router
