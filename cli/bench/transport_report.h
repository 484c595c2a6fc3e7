// What the round trips of `sida bench transport` say, as JSON and Markdown. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sida::bench {

struct RoundTrips {
  std::string channel;  // "in-process", "ipc", "tcp", "shared memory".
  std::int64_t rows = 0;
  std::int64_t payload_bytes = 0;  // One way.
  std::vector<double> seconds;     // Of every round trip.
};

struct TransportRun {
  double copy_bytes_per_second = 0;  // Best of copies far larger than the caches; a byte copied counts once.
  double wake_seconds = 0;           // wake_round_trip(), median of the rounds.
  std::vector<RoundTrips> round_trips;
};

// `limits.{copy_gb_per_s, wake_us}`, `points[]` of `{channel, rows, payload_bytes, round_trip_us: {p50, p95, p99},
// gb_per_s, share_of_copy}`. The payload goes there and back: `gb_per_s` is twice its size over the median.
nlohmann::json transport_json(const TransportRun& run);
std::string transport_markdown(const nlohmann::json& report);

}  // namespace sida::bench
