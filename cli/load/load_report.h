// The figures of a load, under the names of `vllm bench serve`. Pure.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/load/request_record.h"
#include "common/base/result.h"

namespace sida::load {

// A request is good when it was answered in full within these. Nothing: no bound.
struct LatencyObjective {
  std::optional<Seconds> first_token;    // ttft
  std::optional<Seconds> per_token;      // tpot
  std::optional<Seconds> whole_request;  // e2el
  [[nodiscard]] bool any() const { return first_token || per_token || whole_request; }
  [[nodiscard]] bool is_met_by(const RequestRecord& record) const;
};

// "ttft:200,e2el:2000", in milliseconds, as vLLM's --goodput. kInvalidArgument on anything else.
Result<LatencyObjective> parse_objective(const std::string& text);

struct LoadSettings {
  double request_rate = 0;      // Per second; 0: a closed loop; infinite: all at once.
  std::size_t concurrency = 0;  // 0: no limit.
  LatencyObjective objective;
};

// `duration`, `completed`, `failed`, `total_input_tokens`, `total_output_tokens`, `request_throughput`,
// `request_goodput` (null without an objective), `output_throughput`, `total_token_throughput`, and of ttft, tpot, itl
// and e2el `mean_…_ms`, `median_…_ms`, `std_…_ms`, `p50_` to `p99_…_ms`, of those completed; null when there are none.
// Besides: `rejected` (503) with `p99_rejection_ms`, `max_send_lag_ms` (how late the client itself was), `errors` by
// code, and `histograms` of ttft_ms and e2el_ms, whose `counts` have one more than `bounds`. Percentiles are of nearest
// rank.
nlohmann::json load_json(const LoadSettings& settings, const std::vector<RequestRecord>& records);

// One line of JSON about one request.
nlohmann::json record_json(std::size_t index, const RequestRecord& record);

// Tables and histogram for people, of one load or of several rates.
std::string load_text(const std::vector<nlohmann::json>& loads);

}  // namespace sida::load
