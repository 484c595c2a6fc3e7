// One request as handlers see it, without the HTTP library.
#pragma once

#include <optional>
#include <string>

namespace sida::router {

struct HttpRequest {
  std::string method;        // "GET"
  std::string path;          // Without the query; not decoded.
  std::string content_type;  // Lower-case, without parameters.
  std::string trace_parent;  // W3C header; empty when absent.
  std::string body;
  std::string query;                    // After the '?'; not decoded.
  std::string id;                       // X-Request-Id; empty when absent.
  std::string authorization;            // The header as it came; a secret: for ApiKeys alone.
  std::string address;                  // Of the client, without its port.
  std::optional<std::string> deadline;  // X-Request-Timeout-Ms; nothing when absent.
  std::string origin;                   // Sent by browsers for pages that ask; empty when absent.
};

}  // namespace sida::router
