// What the HTTP front end can be told, and its limits. Every limit has a test in tests/unit/router/http.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/config/access_options.h"
#include "common/config/schema.h"

namespace sida::router {

// Beyond each limit the request is refused with the status given; nothing of it is kept.
struct HttpLimits {
  std::int64_t connections_max = 1024;                 // 503 with Retry-After, then closed.
  std::uint64_t header_bytes_max = 16U << 10U;         // 431. Request line and all headers together.
  std::int64_t headers_max = 64;                       // 431.
  std::int64_t target_bytes_max = 2048;                // 414. The path with its query.
  std::uint64_t body_bytes_max = 4U << 20U;            // 413.
  std::int64_t json_depth_max = 16;                    // 400.
  std::int64_t prompts_max = 64;                       // 400. Prompts times n of one request.
  std::int64_t prompt_tokens_max = 4096;               // 400. Of one prompt, end token included.
  std::int64_t output_tokens_max = 1024;               // 400. max_tokens and target tokens.
  std::int64_t request_tokens_max = 65'536;            // 400. Of all prompts times n: theirs and max_tokens.
  std::chrono::milliseconds idle_timeout{60'000};      // Between two requests of a connection; then closed.
  std::chrono::milliseconds header_timeout{10'000};    // From the first byte to the end of the headers; then closed.
  std::chrono::milliseconds body_timeout{30'000};      // From the headers to the end of the body; then closed.
  std::chrono::milliseconds write_timeout{30'000};     // Of one response; then closed.
  std::chrono::milliseconds request_timeout{600'000};  // From accepted to answered; 504.
};

struct HttpOptions {
  std::string host = "127.0.0.1";        // Address to bind; loopback unless told otherwise.
  std::int64_t port = 8000;              // 0: any free one.
  std::string admin_host = "127.0.0.1";  // Of /metrics, /status and the dashboard.
  std::int64_t admin_port = 8001;        // 0: any free one.
  HttpLimits limits;
  config::AccessOptions access;
  std::chrono::milliseconds shutdown_grace{10'000};  // For open requests after the first signal; 0: none.
};

// Adds all of the above to a process's schema. `options` must outlive it.
void describe_http(config::Schema& schema, HttpOptions& options);

}  // namespace sida::router
