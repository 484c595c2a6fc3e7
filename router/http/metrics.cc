#include "router/http/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "router/http/status_metrics.h"

namespace sida::router {
namespace {

// Seconds. From one decoder step of a small model to the default request timeout.
const prometheus::Histogram::BucketBoundaries kLatencyBuckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                                              2.5,   5,    10,    30,   60,  300,  600};

}  // namespace

struct HttpProbe::State {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter().Name("sida_requests_total").Help("Answered requests, by outcome.").Register(registry);
  prometheus::Family<prometheus::Histogram>& latency = prometheus::BuildHistogram()
                                                           .Name("sida_request_duration_seconds")
                                                           .Help("From the end of a request's body to its answer.")
                                                           .Register(registry);
  prometheus::Gauge& connections = prometheus::BuildGauge()
                                       .Name("sida_http_connections")
                                       .Help("Open connections of the public and admin ports.")
                                       .Register(registry)
                                       .Add({});
  prometheus::Family<prometheus::Counter>& incidents = prometheus::BuildCounter()
                                                           .Name("sida_http_incidents_total")
                                                           .Help("What kept a connection from an answer, by kind.")
                                                           .Register(registry);
  prometheus::Counter& refused = incidents.Add({{"kind", "connection_refused"}});
  prometheus::Counter& unreadable = incidents.Add({{"kind", "request_unreadable"}});
  prometheus::Counter& gone = incidents.Add({{"kind", "client_went_away"}});
};

HttpProbe::HttpProbe() : state_(std::make_unique<State>()) {}
HttpProbe::~HttpProbe() = default;

void HttpProbe::request_answered(const std::string& endpoint, const std::string& outcome,
                                 std::chrono::duration<double> latency) {
  state_->requests.Add({{"endpoint", endpoint}, {"outcome", outcome}}).Increment();
  state_->latency.Add({{"endpoint", endpoint}}, kLatencyBuckets).Observe(latency.count());
}

void HttpProbe::connection_opened() {
  state_->connections.Increment();
}
void HttpProbe::connection_closed() {
  state_->connections.Decrement();
}
void HttpProbe::connection_refused() {
  state_->refused.Increment();
}
void HttpProbe::request_unreadable() {
  state_->unreadable.Increment();
}
void HttpProbe::client_went_away() {
  state_->gone.Increment();
}

std::string HttpProbe::text(const RouterStatus& status) const {
  auto families = state_->registry.Collect();
  const auto of_status = status_families(status);
  families.insert(families.end(), of_status.begin(), of_status.end());
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace sida::router
