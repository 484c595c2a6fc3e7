// What GET /metrics serves: counts kept here, and the router's status turned into metric families.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "router/core/request.h"

namespace sida::router {

// One method per thing that happens, so that call sites read as prose. Thread-safe.
class HttpProbe {
 public:
  HttpProbe();
  ~HttpProbe();
  HttpProbe(const HttpProbe&) = delete;
  HttpProbe& operator=(const HttpProbe&) = delete;

  // `endpoint`: a route of ours, never a client's text, so that the number of series is bounded.
  void request_answered(const std::string& endpoint, const std::string& outcome, std::chrono::duration<double> latency);
  void connection_opened();
  void connection_closed();
  void connection_refused();  // Above the limit.
  void request_unreadable();  // Malformed, over a limit of the wire, or too slow.
  void client_went_away();    // Before its answer was ready.

  // Everything in Prometheus' text format, counters of `status` included.
  [[nodiscard]] std::string text(const RouterStatus& status) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sida::router
