#include "router/http/status_json.h"

#include <algorithm>
#include <cmath>

namespace sida::router {
namespace {

nlohmann::json share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? nlohmann::json() : nlohmann::json(static_cast<double>(part) / static_cast<double>(whole));
}

nlohmann::json processes_json(const RouterStatus& status) {
  auto list = nlohmann::json::array();
  for (const ProcessStatus& process : status.processes) {
    list.push_back({{"name", process.name},
                    {"role", process.role},
                    {"pid", process.pid},
                    {"address", process.address},
                    {"state", process.state},
                    {"detail", process.detail}});
  }
  return list;
}

nlohmann::json workers_json(const RouterStatus& status) {
  auto list = nlohmann::json::array();
  for (const WorkerStatus& worker : status.workers) {
    list.push_back({{"name", worker.name},
                    {"experts_resident", worker.experts_resident},
                    {"memory_bytes", worker.memory_bytes},
                    {"memory_budget_bytes", worker.memory_budget_bytes},
                    {"rows_served", worker.rows_served},
                    {"hits", worker.hits},
                    {"misses", worker.misses},
                    {"hit_rate", share(worker.hits, worker.hits + worker.misses)},
                    {"bytes_waited", worker.bytes_waited},
                    {"prefetches",
                     {{"read", worker.prefetches},
                      {"useful", worker.prefetches_useful},
                      {"late", worker.prefetches_late},
                      {"wasted", worker.prefetches_wasted},
                      {"cancelled", worker.prefetches_cancelled},
                      {"on", worker.prefetching}}},
                    {"bytes_read", worker.bytes_read},
                    {"kernel", worker.kernel},
                    {"channel", worker.channel.empty() ? nlohmann::json() : nlohmann::json(worker.channel)},
                    {"expert_slots", worker.expert_slots}});
  }
  return list;
}

nlohmann::json predictors_json(const RouterStatus& status) {
  auto list = nlohmann::json::array();
  for (const PredictorStatus& predictor : status.predictors) {
    const proto::PredictorReport& report = predictor.report;
    list.push_back({{"name", predictor.name},
                    {"kind", predictor.kind},
                    {"sequences", report.sequences},
                    {"state_bytes", report.state_bytes},
                    {"sources", report.sources},
                    {"source_tokens", report.source_tokens},
                    {"sources_per_batch", share(report.sources, report.source_batches)},
                    {"steps", report.steps},
                    {"entries", report.entries},
                    {"us_per_source", share(report.source_micros, report.sources)},
                    {"us_per_step", share(report.step_micros, report.steps)},
                    {"core_share", share(report.cpu_micros, report.uptime_micros)},
                    {"expired", report.expired},
                    {"dropped", report.dropped}});
  }
  return list;
}

// How long a layer's entries were there before their first use.
nlohmann::json lead_json(const LeadTimes& lead) {
  if (lead.count() == 0) return nullptr;
  const auto ms = [](std::chrono::microseconds time) { return static_cast<double>(time.count()) / 1000; };
  return {{"count", lead.count()},
          {"mean", ms(lead.sum()) / static_cast<double>(lead.count())},
          {"p1", ms(lead.quantile(0.01))},
          {"p50", ms(lead.quantile(0.5))},
          {"p99", ms(lead.quantile(0.99))}};
}

nlohmann::json layers_json(const RouterStatus& status) {
  auto list = nlohmann::json::array();
  for (const LayerAgreement& layer : status.agreement) {
    const auto found = status.lookups.find(LayerId{layer.layer});
    const ExpertLookups lookups = found == status.lookups.end() ? ExpertLookups{} : found->second;
    list.push_back({{"layer", layer.layer},
                    {"routed", layer.routed},
                    {"predicted", layer.predicted},
                    {"late", layer.late},
                    {"by_table", layer.by_table},
                    {"compared", layer.compared},
                    {"agreed", layer.agreed},
                    {"agreement", share(layer.agreed, layer.compared)},
                    {"lead_ms", lead_json(layer.lead)},
                    {"hits", lookups.hits},
                    {"misses", lookups.misses},
                    {"hit_rate", share(lookups.hits, lookups.hits + lookups.misses)}});
  }
  return list;
}

// Quantiles since start, and the counts of each bucket so that a reader can make those of a stretch of time.
nlohmann::json latency_json(const LatencyHistogram& times) {
  const auto quantile = [&times](double share) {
    return times.count() == 0 ? nlohmann::json() : nlohmann::json(times.quantile(share).count());
  };
  return {{"count", times.count()}, {"sum", times.sum().count()}, {"p50", quantile(0.5)},
          {"p95", quantile(0.95)},  {"p99", quantile(0.99)},      {"counts", times.counts()}};
}

nlohmann::json latencies_json(const ServingTimes& times) {
  return {{"bucket_ends", LatencyHistogram::kEnds},
          {"queued", latency_json(times.queued)},
          {"first_token", latency_json(times.first_token)},
          {"between_tokens", latency_json(times.between_tokens)},
          {"total", latency_json(times.total)}};
}

// How much of what fits is in the memory of live workers.
nlohmann::json loading_json(const RouterStatus& status) {
  const std::uint64_t experts =
      static_cast<std::uint64_t>(status.model.moe_layers) * static_cast<std::uint64_t>(status.model.experts_per_layer);
  std::uint64_t resident = 0;
  std::uint64_t slots = 0;
  std::uint64_t expert_bytes = 0;
  for (const WorkerStatus& worker : status.workers) {
    if (worker.resident == nullptr) continue;
    resident += worker.experts_resident;
    slots += worker.expert_slots;
    expert_bytes = std::max(expert_bytes, worker.expert_bytes);
  }
  const std::uint64_t fits = std::min(experts, slots);
  resident = std::min(resident, fits);  // Two workers may hold the same expert.
  return {{"resident_bytes", resident * expert_bytes},
          {"fitting_bytes", fits * expert_bytes},
          {"expert_bytes", expert_bytes},
          {"share", share(resident, fits)}};
}

}  // namespace

Reply health_reply(const RouterStatus& status) {
  if (status.ready) {
    return json_reply({{"status", "ok"}});
  }
  const int percent = static_cast<int>(std::lround(100 * std::clamp(status.loaded_fraction, 0.0, 1.0)));
  Reply reply = json_reply({{"status", "unavailable"}, {"reason", status.reason}, {"loaded_percent", percent}});
  reply.status = 503;
  reply.outcome = name(ErrorCode::kUnavailable);
  reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

nlohmann::json status_json(const RouterStatus& status) {
  LayerAgreement all;
  for (const LayerAgreement& layer : status.agreement) all += layer;
  std::uint64_t hits = 0;
  std::uint64_t lookups = 0;
  for (const WorkerStatus& worker : status.workers) {
    hits += worker.hits;
    lookups += worker.hits + worker.misses;
  }
  return {
      {"uptime_seconds", static_cast<double>(status.uptime.count()) / 1000},
      {"model",
       {{"encoder_moe_layers", status.model.encoder_moe_layers},
        {"moe_layers", status.model.moe_layers},
        {"experts_per_layer", status.model.experts_per_layer}}},
      {"loading", loading_json(status)},
      {"latency_ms", latencies_json(status.times)},
      {"ready", status.ready},
      {"reason", status.reason},
      {"loaded_fraction", status.loaded_fraction},
      {"processes", processes_json(status)},
      {"workers", workers_json(status)},
      {"predictors", predictors_json(status)},
      {"agreement", share(all.agreed, all.compared)},
      {"late", all.late},
      {"agreement_by_layer", layers_json(status)},
      {"hit_rate", share(hits, lookups)},
      {"requests",
       {{"running", status.requests_running},
        {"waiting", status.requests_waiting},
        {"finished", status.requests_finished},
        {"failed", status.requests_failed}}},
      {"tokens", {{"prompt", status.prompt_tokens}, {"generation", status.generation_tokens}}},
      {"steps", status.steps},
      {"encoder",
       {{"steps", status.encoder_steps},
        {"sources", status.encoder_sources},
        {"experts", status.encoder_experts},
        {"sources_per_step", share(status.encoder_sources, status.encoder_steps)},
        {"experts_per_source", share(status.encoder_experts, status.encoder_sources)}}},
      {"dispatches", status.dispatches},
      {"dispatched_rows", status.dispatched_rows},
      {"resends", {{"lost", status.resends_lost}, {"late", status.resends_late}, {"failed", status.resends_failed}}},
      {"late_results", status.late_results},
      {"malformed_messages", status.malformed_messages}};
}

}  // namespace sida::router
