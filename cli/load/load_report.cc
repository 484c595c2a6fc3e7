#include "cli/load/load_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "cli/statistics.h"
#include "common/config/quantity.h"

namespace sida::load {
namespace {

using cli::percentile;
using nlohmann::json;

constexpr std::array kPercentiles{50, 90, 95, 99};
// Milliseconds: a step is about a fifth to a half more than the last.
constexpr std::array kBounds{1.0,   2.0,    5.0,    10.0,   20.0,     50.0,     100.0,   200.0,
                             500.0, 1000.0, 2000.0, 5000.0, 10'000.0, 30'000.0, 60'000.0};

double ms(Seconds time) {
  return time.count() * 1e3;
}

void add_spread(json& into, const std::string& name, const std::vector<double>& times) {
  const std::string tail = "_" + name + "_ms";
  if (times.empty()) {
    for (const char* what : {"mean", "median", "std"}) into[what + tail] = nullptr;
    for (const int percent : kPercentiles) into["p" + std::to_string(percent) + tail] = nullptr;
    return;
  }
  double sum = 0;
  for (const double time : times) sum += time;
  const double mean = sum / static_cast<double>(times.size());
  double squares = 0;
  for (const double time : times) squares += (time - mean) * (time - mean);
  into["mean" + tail] = mean;
  into["median" + tail] = percentile(times, 50);
  into["std" + tail] = std::sqrt(squares / static_cast<double>(times.size()));
  for (const int percent : kPercentiles) into["p" + std::to_string(percent) + tail] = percentile(times, percent);
}

json histogram(const std::vector<double>& times) {
  std::vector<std::size_t> counts(kBounds.size() + 1);
  for (const double time : times) {
    ++counts[static_cast<std::size_t>(std::lower_bound(kBounds.begin(), kBounds.end(), time) - kBounds.begin())];
  }
  return {{"bounds", kBounds}, {"counts", counts}};
}

// What the records come to.
struct Sums {
  Seconds end{0};
  Seconds send_lag{0};
  std::size_t completed = 0;
  std::size_t good = 0;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::vector<double> ttft, tpot, itl, e2el, rejection;
  std::map<std::string, std::size_t> errors;

  void add(const RequestRecord& record, const LatencyObjective& objective) {
    end = std::max(end, record.ended);
    send_lag = std::max(send_lag, record.sent - record.intended);
    if (record.rejected()) rejection.push_back(ms(record.ended - record.sent));
    if (!record.completed()) {
      ++errors[record.error];
      return;
    }
    ++completed;
    if (objective.is_met_by(record)) ++good;
    input_tokens += record.input_tokens;
    output_tokens += record.output_tokens;
    ttft.push_back(ms(record.first_token()));
    e2el.push_back(ms(record.latency()));
    if (record.output_tokens > 1) tpot.push_back(ms(record.per_token()));
    for (std::size_t at = 1; at < record.tokens.size(); ++at)
      itl.push_back(ms(record.tokens[at] - record.tokens[at - 1]));
  }
};

std::string cell(const json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), value.is_number_integer() ? "%.0f" : "%.2f", value.get<double>());
  return text.data();
}

std::string bars(const json& load) {
  const json& histogram = load["histograms"]["e2el_ms"];
  const auto counts = histogram["counts"].get<std::vector<std::size_t>>();
  const std::size_t most = std::max<std::size_t>(1, *std::max_element(counts.begin(), counts.end()));
  std::string text;
  for (std::size_t at = 0; at < counts.size(); ++at) {
    if (counts[at] == 0) continue;
    std::array<char, 64> label{};
    const bool last = at == kBounds.size();
    std::snprintf(label.data(), label.size(), "  %s %7.0f ms %7zu ",
                  last ? " >" : "<=", last ? kBounds.back() : kBounds.at(at), counts[at]);
    text += label.data() + std::string((counts[at] * 50 + most - 1) / most, '#') + "\n";
  }
  return text;
}

}  // namespace

bool LatencyObjective::is_met_by(const RequestRecord& record) const {
  return record.completed() && (!first_token || record.first_token() <= *first_token) &&
         (!per_token || record.per_token() <= *per_token) && (!whole_request || record.latency() <= *whole_request);
}

Result<LatencyObjective> parse_objective(const std::string& text) {
  LatencyObjective objective;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find(',', from), text.size());
    const std::string part = text.substr(from, end - from);
    from = end + 1;
    const std::size_t colon = part.find(':');
    const std::string name = part.substr(0, colon);
    auto* bound = name == "ttft"   ? &objective.first_token
                  : name == "tpot" ? &objective.per_token
                  : name == "e2el" ? &objective.whole_request
                                   : nullptr;
    const auto value = config::parse_number(colon == std::string::npos ? "" : part.substr(colon + 1));
    if (bound == nullptr || !value || *value <= 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "'" + part + "' is no objective: write ttft:MS, tpot:MS or e2el:MS, separated by commas");
    }
    *bound = Seconds(*value / 1e3);
  }
  return objective;
}

json load_json(const LoadSettings& settings, const std::vector<RequestRecord>& records) {
  Sums sums;
  for (const RequestRecord& record : records) sums.add(record, settings.objective);
  const double duration = std::max(sums.end.count(), 1e-9);
  const auto per_second = [duration](auto count) { return static_cast<double>(count) / duration; };
  json load{{"num_prompts", records.size()},
            {"request_rate", nullptr},
            {"max_concurrency", nullptr},
            {"duration", sums.end.count()},
            {"completed", sums.completed},
            {"failed", records.size() - sums.completed},
            {"rejected", sums.rejection.size()},
            {"total_input_tokens", sums.input_tokens},
            {"total_output_tokens", sums.output_tokens},
            {"request_throughput", per_second(sums.completed)},
            {"request_goodput", settings.objective.any() ? json(per_second(sums.good)) : json()},
            {"output_throughput", per_second(sums.output_tokens)},
            {"total_token_throughput", per_second(sums.input_tokens + sums.output_tokens)},
            {"max_send_lag_ms", ms(sums.send_lag)},
            {"errors", sums.errors}};
  if (std::isinf(settings.request_rate)) {
    load["request_rate"] = "inf";
  } else if (settings.request_rate > 0) {
    load["request_rate"] = settings.request_rate;
  }
  if (settings.concurrency > 0) load["max_concurrency"] = settings.concurrency;
  load["histograms"] = {{"ttft_ms", histogram(sums.ttft)}, {"e2el_ms", histogram(sums.e2el)}};
  load["p99_rejection_ms"] = sums.rejection.empty() ? json() : json(percentile(sums.rejection, 99));
  add_spread(load, "ttft", sums.ttft);
  add_spread(load, "tpot", sums.tpot);
  add_spread(load, "itl", sums.itl);
  add_spread(load, "e2el", sums.e2el);
  return load;
}

json record_json(std::size_t index, const RequestRecord& record) {
  std::vector<double> between;
  for (std::size_t at = 1; at < record.tokens.size(); ++at) {
    between.push_back(ms(record.tokens[at] - record.tokens[at - 1]));
  }
  return {{"index", index},
          {"intended_s", record.intended.count()},
          {"sent_s", record.sent.count()},
          {"status", record.status},
          {"error", record.error.empty() ? json() : json(record.error)},
          {"input_tokens", record.input_tokens},
          {"output_tokens", record.output_tokens},
          {"ttft_ms", record.tokens.empty() ? json() : json(ms(record.first_token()))},
          {"e2el_ms", ms(record.latency())},
          {"itl_ms", between}};
}

std::string load_text(const std::vector<json>& loads) {
  std::string text =
      "| requests/s asked | done/s | good/s | tokens/s | completed | rejected | other failures | ttft p50, p99 ms | "
      "tpot p50 ms | "
      "e2el p50, p99 ms | rejection p99 ms |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const json& load : loads) {
    const json others = load["failed"].get<std::int64_t>() - load["rejected"].get<std::int64_t>();
    text += "| " + (load["request_rate"].is_null() ? "closed loop" : cell(load["request_rate"])) + " | " +
            cell(load["request_throughput"]) + " | " + cell(load["request_goodput"]) + " | " +
            cell(load["output_throughput"]) + " | " + cell(load["completed"]) + " | " + cell(load["rejected"]) + " | " +
            cell(others) + " | " + cell(load["median_ttft_ms"]) + ", " + cell(load["p99_ttft_ms"]) + " | " +
            cell(load["median_tpot_ms"]) + " | " + cell(load["median_e2el_ms"]) + ", " + cell(load["p99_e2el_ms"]) +
            " | " + cell(load["p99_rejection_ms"]) + " |\n";
  }
  for (const json& load : loads) {
    text += "\nWhole requests" +
            (load["request_rate"].is_null() ? "" : " at " + cell(load["request_rate"]) + " a second") + ":\n" +
            bars(load);
    if (!load["errors"].empty()) text += "Failures: " + load["errors"].dump() + "\n";
  }
  return text;
}

}  // namespace sida::load
