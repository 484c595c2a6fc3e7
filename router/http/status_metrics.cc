#include "router/http/status_metrics.h"

#include <string>
#include <utility>

namespace sida::router {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Collects samples of one name.
class Family {
 public:
  Family(MetricType type, std::string name, std::string help) : family_{std::move(name), std::move(help), type, {}} {}

  Family& add(std::uint64_t value, std::vector<ClientMetric::Label> labels = {}) {
    return add(static_cast<double>(value), std::move(labels));
  }
  Family& add(double value, std::vector<ClientMetric::Label> labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  Family& add(const LeadTimes& times, std::vector<ClientMetric::Label> labels) {
    const auto seconds = [](std::chrono::microseconds time) { return static_cast<double>(time.count()) * 1e-6; };
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.histogram.sample_count = times.count();
    metric.histogram.sample_sum = seconds(times.sum());
    std::uint64_t below = 0;
    for (std::size_t bucket = 0; bucket + 1 < LeadTimes::kBuckets; ++bucket) {
      below += times.counts()[bucket];
      if (bucket % 2 == 0) metric.histogram.bucket.push_back({below, seconds(LeadTimes::end(bucket))});
    }
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  Family& add(const LatencyHistogram& times) {
    ClientMetric metric;
    metric.histogram.sample_count = times.count();
    metric.histogram.sample_sum = times.sum().count() / 1000;
    std::uint64_t below = 0;
    for (std::size_t bucket = 0; bucket < LatencyHistogram::kEnds.size(); ++bucket) {
      below += times.counts()[bucket];
      metric.histogram.bucket.push_back({below, LatencyHistogram::kEnds[bucket] / 1000});
    }
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  [[nodiscard]] const MetricFamily& done() const { return family_; }

 private:
  MetricFamily family_;
};

Family counter(const char* name, const char* help) {
  return {MetricType::Counter, name, help};
}
Family gauge(const char* name, const char* help) {
  return {MetricType::Gauge, name, help};
}

void add_router(std::vector<MetricFamily>& out, const RouterStatus& s) {
  out.push_back(gauge("sida_ready", "1 when a request sent now would be served.").add(s.ready ? 1.0 : 0.0).done());
  out.push_back(gauge("sida_loaded_ratio", "Share of start-up that is done.").add(s.loaded_fraction).done());
  out.push_back(gauge("sida_requests_running", "Sequences in the current step.").add(s.requests_running).done());
  out.push_back(gauge("sida_requests_waiting", "Sequences admitted but not begun.").add(s.requests_waiting).done());
  out.push_back(gauge("sida_desired_workers", "Expert-workers that the work admitted here would keep busy for 20 s.")
                    .add(s.desired_workers)
                    .done());
  out.push_back(counter("sida_sequences_total", "Sequences that ended, by outcome.")
                    .add(s.requests_finished, {{"outcome", "finished"}})
                    .add(s.requests_failed, {{"outcome", "failed"}})
                    .done());
  out.push_back(counter("sida_prompt_tokens_total", "Source tokens encoded.").add(s.prompt_tokens).done());
  out.push_back(counter("sida_generation_tokens_total", "Tokens generated.").add(s.generation_tokens).done());
  out.push_back(counter("sida_steps_total", "Forward calls of the trunk.").add(s.steps).done());
  out.push_back(counter("sida_encoder_steps_total", "Steps that encoded sources.").add(s.encoder_steps).done());
  out.push_back(counter("sida_encoder_sources_total", "Sources encoded.").add(s.encoder_sources).done());
  out.push_back(
      counter("sida_encoder_experts_total", "Experts that served an encoder step, each once per step and MoE layer.")
          .add(s.encoder_experts)
          .done());
}

void add_times(std::vector<MetricFamily>& out, const ServingTimes& times) {
  const auto histogram = [&out](const char* name, const char* help, const LatencyHistogram& of) {
    out.push_back(Family(MetricType::Histogram, name, help).add(of).done());
  };
  histogram("sida_queue_seconds", "From a sequence's admission to the step that encodes it.", times.queued);
  histogram("sida_time_to_first_token_seconds", "From admission to the first generated token.", times.first_token);
  histogram("sida_inter_token_seconds", "From one generated token to the next.", times.between_tokens);
  histogram("sida_sequence_duration_seconds", "From admission to the answer.", times.total);
}

void add_lookups(std::vector<MetricFamily>& out, const LookupsByLayer& lookups) {
  Family hits = counter("sida_layer_expert_hits_total", "Dispatched experts found resident, by MoE layer.");
  Family misses = counter("sida_layer_expert_misses_total", "Dispatched experts that had to be read, by MoE layer.");
  for (const auto& [layer, of] : lookups) {
    const std::vector<ClientMetric::Label> label{{"layer", std::to_string(layer.value)}};
    hits.add(of.hits, label);
    misses.add(of.misses, label);
  }
  out.push_back(hits.done());
  out.push_back(misses.done());
}

void add_dispatch(std::vector<MetricFamily>& out, const RouterStatus& s) {
  out.push_back(counter("sida_dispatches_total", "Messages with rows sent to workers.").add(s.dispatches).done());
  out.push_back(counter("sida_dispatch_rows_total", "Rows sent to workers.").add(s.dispatched_rows).done());
  out.push_back(counter("sida_resends_total", "Dispatches sent again, by cause.")
                    .add(s.resends_lost, {{"cause", "lost"}})
                    .add(s.resends_late, {{"cause", "late"}})
                    .add(s.resends_failed, {{"cause", "failed"}})
                    .done());
  out.push_back(
      counter("sida_late_results_total", "Results that came after another worker's.").add(s.late_results).done());
  out.push_back(counter("sida_malformed_messages_total", "Messages that did not decode and were dropped.")
                    .add(s.malformed_messages)
                    .done());
}

void add_agreement(std::vector<MetricFamily>& out, const RouterStatus& s) {
  Family predicted = counter("sida_gate_predicted_total", "Tokens with a hash-table entry in time, by MoE layer.");
  Family late = counter("sida_table_late_total", "Tokens whose entry was asked for and not there in time.");
  Family by_table = counter("sida_table_chosen_total", "Tokens whose experts the hash table chose.");
  Family compared = counter("sida_gate_compared_total", "Predicted tokens that the gate was asked about too.");
  Family agreed = counter("sida_gate_agreed_total", "Of these, tokens whose expert the gate confirmed.");
  Family lead{MetricType::Histogram, "sida_table_lead_seconds",
              "From the last entry of a sequence's tokens coming in to the MoE layer needing it."};
  for (const LayerAgreement& layer : s.agreement) {
    const std::vector<ClientMetric::Label> label{{"layer", std::to_string(layer.layer)}};
    predicted.add(layer.predicted, label);
    late.add(layer.late, label);
    by_table.add(layer.by_table, label);
    compared.add(layer.compared, label);
    agreed.add(layer.agreed, label);
    lead.add(layer.lead, label);
  }
  for (const Family* family : {&predicted, &late, &by_table, &compared, &agreed, &lead}) {
    out.push_back(family->done());
  }
}

void add_processes(std::vector<MetricFamily>& out, const RouterStatus& s) {
  Family state = gauge("sida_process_state", "1 for the state that each process is in.");
  for (const ProcessStatus& process : s.processes) {
    state.add(1.0, {{"name", process.name}, {"role", process.role}, {"state", process.state}});
  }
  out.push_back(state.done());
}

void add_workers(std::vector<MetricFamily>& out, const RouterStatus& s) {
  Family resident = gauge("sida_worker_experts_resident", "Experts in a worker's fast memory.");
  Family memory = gauge("sida_worker_memory_bytes", "Bytes that a worker uses for weights.");
  Family budget = gauge("sida_worker_memory_budget_bytes", "Bytes that a worker may use for weights.");
  Family rows = counter("sida_worker_rows_total", "Rows that a worker computed.");
  Family hits = counter("sida_worker_expert_hits_total", "Dispatched experts found resident.");
  Family misses = counter("sida_worker_expert_misses_total", "Dispatched experts that had to be fetched.");
  Family waited = counter("sida_worker_waited_bytes_total", "Bytes of experts that rows had to wait for.");
  Family prefetches = counter("sida_worker_prefetches_total", "Experts read because of the hash table.");
  Family fates = counter("sida_worker_prefetch_fates_total",
                         "Prefetched experts that were resident when first demanded (useful), still on their way then "
                         "(late), evicted before (wasted), or not read to the end (cancelled).");
  Family prefetching = gauge("sida_worker_prefetching",
                             "1 while a worker reads ahead what the hash table names; 0: it "
                             "does not pay, or is switched off.");
  Family read = counter("sida_worker_read_bytes_total", "Bytes of experts that a worker read.");
  Family channel = gauge("sida_worker_channel", "1 for the kind of tensor channel that carries a worker's rows.");
  for (const WorkerStatus& worker : s.workers) {
    const std::vector<ClientMetric::Label> label{{"worker", worker.name}};
    resident.add(worker.experts_resident, label);
    memory.add(worker.memory_bytes, label);
    budget.add(worker.memory_budget_bytes, label);
    rows.add(worker.rows_served, label);
    hits.add(worker.hits, label);
    misses.add(worker.misses, label);
    waited.add(worker.bytes_waited, label);
    prefetches.add(worker.prefetches, label);
    fates.add(worker.prefetches_useful, {label.front(), {"fate", "useful"}});
    fates.add(worker.prefetches_late, {label.front(), {"fate", "late"}});
    fates.add(worker.prefetches_wasted, {label.front(), {"fate", "wasted"}});
    fates.add(worker.prefetches_cancelled, {label.front(), {"fate", "cancelled"}});
    prefetching.add(worker.prefetching ? 1.0 : 0.0, label);
    read.add(worker.bytes_read, label);
    if (!worker.channel.empty()) channel.add(1.0, {label.front(), {"kind", worker.channel}});
  }
  for (const Family* family : {&resident, &memory, &budget, &rows, &hits, &misses, &waited, &prefetches, &fates,
                               &prefetching, &read, &channel}) {
    out.push_back(family->done());
  }
}

void add_predictors(std::vector<MetricFamily>& out, const RouterStatus& s) {
  Family sequences = gauge("sida_predictor_sequences", "Sequences that a predictor keeps state for, of all routers.");
  Family state = gauge("sida_predictor_state_bytes", "What that state takes at most.");
  Family sources = counter("sida_predictor_sources_total", "Sources that a predictor answered.");
  Family tokens = counter("sida_predictor_source_tokens_total", "Their tokens.");
  Family batches = counter("sida_predictor_source_batches_total", "Batches that they were computed in.");
  Family steps = counter("sida_predictor_steps_total", "Decoder tokens that a predictor answered.");
  Family entries = counter("sida_predictor_entries_total", "Hash-table entries sent: tokens times MoE layers.");
  Family compute = counter("sida_predictor_compute_seconds_total", "Time of its hash function, by what it read.");
  Family cpu = counter("sida_predictor_cpu_seconds_total", "Processor time of a predictor.");
  Family expired = counter("sida_predictor_expired_total", "Sequences given up: idle for too long, or to make room.");
  Family dropped = counter("sida_predictor_dropped_total", "Requests not answered, because too many waited.");
  for (const PredictorStatus& predictor : s.predictors) {
    const proto::PredictorReport& report = predictor.report;
    const std::vector<ClientMetric::Label> label{{"predictor", predictor.name}};
    sequences.add(report.sequences, label);
    state.add(report.state_bytes, label);
    sources.add(report.sources, label);
    tokens.add(report.source_tokens, label);
    batches.add(report.source_batches, label);
    steps.add(report.steps, label);
    entries.add(report.entries, label);
    compute.add(1e-6 * static_cast<double>(report.source_micros), {label.front(), {"what", "sources"}});
    compute.add(1e-6 * static_cast<double>(report.step_micros), {label.front(), {"what", "steps"}});
    cpu.add(1e-6 * static_cast<double>(report.cpu_micros), label);
    expired.add(report.expired, label);
    dropped.add(report.dropped, label);
  }
  for (const Family* family :
       {&sequences, &state, &sources, &tokens, &batches, &steps, &entries, &compute, &cpu, &expired, &dropped}) {
    out.push_back(family->done());
  }
}

void add_refusals(std::vector<MetricFamily>& out, const RouterStatus& s) {
  Family refused = counter("sida_peer_refused_total",
                           "What a worker's or predictor's sockets refused: connections of unknown keys (unknown_key), "
                           "connections that are not encrypted or break the rules (handshake), messages (malformed).");
  const auto add = [&refused](const std::string& peer, const proto::LinkFaults& faults) {
    refused.add(faults.unknown_keys, {{"peer", peer}, {"cause", "unknown_key"}});
    refused.add(faults.handshakes, {{"peer", peer}, {"cause", "handshake"}});
    refused.add(faults.malformed_messages, {{"peer", peer}, {"cause", "malformed"}});
  };
  for (const WorkerStatus& worker : s.workers) add(worker.name, worker.faults);
  for (const PredictorStatus& predictor : s.predictors) add(predictor.name, predictor.report.faults);
  out.push_back(refused.done());
}

}  // namespace

std::vector<prometheus::MetricFamily> status_families(const RouterStatus& status) {
  std::vector<MetricFamily> families;
  add_router(families, status);
  add_times(families, status.times);
  add_dispatch(families, status);
  add_lookups(families, status.lookups);
  add_agreement(families, status);
  add_processes(families, status);
  add_workers(families, status);
  add_predictors(families, status);
  add_refusals(families, status);
  return families;
}

}  // namespace sida::router
