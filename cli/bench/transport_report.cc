#include "cli/bench/transport_report.h"

#include <cmath>
#include <cstdio>

#include "cli/statistics.h"

namespace sida::bench {
namespace {

using cli::percentile;
using cli::rounded;
using nlohmann::json;

json point(const RoundTrips& trips, double copy_bytes_per_second) {
  const double rate = 2 * static_cast<double>(trips.payload_bytes) / percentile(trips.seconds, 50);
  return {{"channel", trips.channel},
          {"rows", trips.rows},
          {"payload_bytes", trips.payload_bytes},
          {"round_trip_us",
           {{"p50", rounded(1e6 * percentile(trips.seconds, 50))},
            {"p95", rounded(1e6 * percentile(trips.seconds, 95))},
            {"p99", rounded(1e6 * percentile(trips.seconds, 99))}}},
          {"gb_per_s", rounded(1e-9 * rate)},
          {"share_of_copy", rounded(rate / copy_bytes_per_second)}};
}

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

json transport_json(const TransportRun& run) {
  json points = json::array();
  for (const RoundTrips& trips : run.round_trips) points.push_back(point(trips, run.copy_bytes_per_second));
  return {
      {"limits",
       {{"copy_gb_per_s", rounded(1e-9 * run.copy_bytes_per_second)}, {"wake_us", rounded(1e6 * run.wake_seconds)}}},
      {"points", std::move(points)}};
}

std::string transport_markdown(const json& report) {
  const json& limits = report.at("limits");
  std::string text =
      "Copying memory: " + formatted("%.1f GB/s", limits.at("copy_gb_per_s").get<double>()) +
      "; two threads that only wake each other: " + formatted("%.1f µs", limits.at("wake_us").get<double>()) +
      " there and back.\nThe in-process channel copies nothing.\n\n| channel | rows | bytes | round trip p50, µs | p95 "
      "| p99 | GB/s | of copying |\n"
      "| --- | --: | --: | --: | --: | --: | --: | --: |\n";
  for (const json& one : report.at("points")) {
    const json& times = one.at("round_trip_us");
    text += "| " + one.at("channel").get<std::string>() + " | " + std::to_string(one.at("rows").get<std::int64_t>()) +
            " | " + std::to_string(one.at("payload_bytes").get<std::int64_t>()) + " | " +
            formatted("%.1f", times.at("p50").get<double>()) + " | " +
            formatted("%.1f", times.at("p95").get<double>()) + " | " +
            formatted("%.1f", times.at("p99").get<double>()) + " | " +
            formatted("%.2f", one.at("gb_per_s").get<double>()) + " | " +
            formatted("%.0f %%", 100 * one.at("share_of_copy").get<double>()) + " |\n";
  }
  return text;
}

}  // namespace sida::bench
