// The router's HTTP front end: a public and an admin port, both on the one thread that calls run().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "router/core/request.h"
#include "router/http/http_options.h"
#include "router/http/served_model.h"

namespace sida::router {

// The engine must outlive the server and must have called and dropped every callback before it is destroyed, so main
// stops the engine after run() returned and before it destroys the server.
class HttpServer {
 public:
  // Binds both ports. Errors: kIo ("port 8000 of 127.0.0.1 is in use ..."), kInvalidArgument (no such address),
  // and those of ApiKeys::load.
  static Result<std::unique_ptr<HttpServer>> listen(HttpOptions options, ServedModel model, Engine& engine);

  virtual ~HttpServer() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;  // The bound one, also when 0 was asked for.
  [[nodiscard]] virtual std::uint16_t admin_port() const = 0;
  // Serves until stop(). Blocks; this is the HTTP thread.
  virtual void run() = 0;
  // Refuses new requests with 503 and stops once those that are open have been answered, or after `grace`. Any thread,
  // any time.
  virtual void drain(std::chrono::milliseconds grace) = 0;
  // Closes both ports and all connections, cancels what runs; run() returns within seconds. Any thread, any time.
  virtual void stop() = 0;
};

}  // namespace sida::router
