// The hash table inside the router agent: asking for entries, waiting for them, and what was made of them.
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "router/core/router_agent.h"

namespace sida::router {

bool RouterAgent::take_entries(TimePoint now) {
  std::vector<proto::HashTableEntries> received;
  const bool active = predictors_.poll(now, received);
  // What came for one sequence together is advised together: all chunks of its tokens need the first layer first.
  std::map<SequenceId, std::vector<proto::HashTableEntries>> by_sequence;
  for (proto::HashTableEntries& entries : received) {
    if (entries.model != model_.fingerprint() || !tracker_.add(entries, now)) continue;
    by_sequence[entries.sequence].push_back(std::move(entries));
  }
  for (const auto& [id, entries] : by_sequence) {
    const auto found = running_.find(id);
    if (found == running_.end()) continue;
    const Running& running = found->second;
    const std::size_t k = running.by_table() ? static_cast<std::size_t>(routing_.top_k) : 1;
    advise(id, running, entries, k);
    if (!running.encoded && tracker_.complete(id, TableStack::kEncoder, 0, running.source_tokens)) {
      scheduler_.predicted(id, tracker_.source_experts(id, k));
    }
    if (running.by_table()) release_if_complete(id);
  }
  return active;
}

void RouterAgent::advise(SequenceId id, const Running& running, std::span<const proto::HashTableEntries> entries,
                         std::size_t k) {
  const bool scored = std::holds_alternative<ScoreJob>(running.job.work);
  std::map<std::uint32_t, std::vector<proto::HashTableEntries>> by_step;
  const std::int32_t encoder_layers = model_.geometry().encoder_moe_layers;
  for (const proto::HashTableEntries& part : entries) {
    if (came_too_late(part, encoder_layers, {running.encoded, running.decoded_tokens})) continue;
    const bool encoder = part.first_layer.value < encoder_layers;
    // A target that is scored goes through the decoder in one step.
    by_step[encoder ? 0 : scored ? 1 : part.first_token + 1].push_back(part);
  }
  for (const auto& [step, parts] : by_step) {
    std::vector<proto::Prefetch::Item> items = prefetch_items(parts, k);
    std::erase_if(items, [&](const proto::Prefetch::Item& item) { return !tracker_.in_time(item.key.layer); });
    workers_.prefetch({id, step, std::move(items)});
  }
}

// The sequence's next step waits for its entries, for a while.
void RouterAgent::await_table(SequenceId id, TimePoint now) {
  scheduler_.hold(id, now + routing_.table_wait);
  release_if_complete(id);
}

void RouterAgent::release_if_complete(SequenceId id) {
  const Running& running = running_.at(id);
  const bool complete = running.encoded
                            ? tracker_.complete(id, TableStack::kDecoder, running.decoded_tokens, running.next_rows())
                            : tracker_.complete(id, TableStack::kEncoder, 0, running.source_tokens);
  if (complete) scheduler_.release(id);
}

std::size_t RouterAgent::Running::next_rows() const {
  const auto* score = std::get_if<ScoreJob>(&job.work);
  return score == nullptr ? 1 : score->target_ids.size();
}

void RouterAgent::add_table(TrunkStep& step, SequenceId id, TableStack stack, TimePoint now) {
  Running& running = running_.at(id);
  const bool encoder = stack == TableStack::kEncoder;
  if (!running.by_table() || (running.beams && !encoder)) return;
  running.table_taken = now;
  step.tables[id] =
      tracker_.rows(id, stack, encoder ? 0 : running.decoded_tokens,
                    encoder ? running.source_tokens : running.next_rows(), static_cast<std::size_t>(routing_.top_k));
}

// What a batch composed by shared experts saves: the experts that its sources touch together.
void RouterAgent::count_encoded(const StepDone& done) {
  const auto num_experts = static_cast<std::size_t>(model_.config().num_experts);
  ExpertSet experts(static_cast<std::size_t>(model_.geometry().encoder_moe_layers) * num_experts);
  std::uint64_t sources = 0;
  for (const SequenceOutcome& outcome : done.outcomes) {
    if (outcome.decoded || outcome.error) continue;
    ++sources;
    for (const LayerRouting& layer : outcome.routing) {
      const std::size_t first = static_cast<std::size_t>(layer.layer.value) * num_experts;
      for (const std::int32_t expert : layer.served) {
        if (expert >= 0) experts.add(first + static_cast<std::size_t>(expert));
      }
    }
  }
  if (sources == 0) return;
  ++counters_.encoder_steps;
  counters_.encoder_sources += sources;
  counters_.encoder_experts += experts.size();
}

void RouterAgent::take_routing(Running& running, const SequenceOutcome& outcome) {
  RoutingReport& report = running.result.routing;
  const std::size_t first = outcome.decoded ? running.decoded_tokens : 0;
  ExpertIds& experts = outcome.decoded ? report.decoder_experts : report.encoder_experts;
  ExpertWeights& weights = outcome.decoded ? report.decoder_weights : report.encoder_weights;
  if (experts.size() < outcome.routing.size()) experts.resize(outcome.routing.size());
  if (weights.size() < outcome.routing.size()) weights.resize(outcome.routing.size());
  std::vector<GateRecord>& gates = outcome.decoded ? report.decoder_gates : report.encoder_gates;
  if (running.job.return_gates && gates.size() < outcome.routing.size()) gates.resize(outcome.routing.size());
  for (std::size_t index = 0; index < outcome.routing.size(); ++index) {
    const LayerRouting& layer = outcome.routing[index];
    tracker_.used(outcome.id,
                  {.layer = layer.layer,
                   .first_token = first,
                   .gate = layer.gate,
                   .by_table = layer.by_table,
                   .needed = layer.began,
                   .taken = running.by_table() ? running.table_taken : layer.began,
                   .asked = !outcome.decoded || running.decoder_asked},
                  report);
    report_workers(report, layer, running.job.return_experts);
    expert_rows_.add(layer.layer, layer.served);
    expert_rows_changed_ = true;
    if (running.job.return_gates) gates[index].append(layer.gates);
    if (!running.job.return_experts) continue;
    for (std::size_t row = 0; row < layer.gate.size(); ++row) {
      experts[index].push_back(layer.served[row * layer.k]);
      weights[index].push_back(layer.weights[row * layer.k]);
    }
  }
  if (outcome.decoded && !outcome.routing.empty()) running.decoded_tokens += outcome.routing.front().gate.size();
}

void RouterAgent::report_workers(RoutingReport& report, const LayerRouting& layer, bool return_experts) const {
  for (std::size_t slot = 0; slot < layer.served_by.size(); ++slot) {
    if (layer.served_by[slot] == WorkerId{}) continue;
    const std::string worker = workers_.worker_name(layer.served_by[slot]);
    ++report.rows_by_worker[worker];
    if (return_experts) report.experts_by_worker[worker].insert({layer.layer, ExpertId(layer.served[slot])});
  }
}

bool RouterAgent::predict_decoder(SequenceId id, const Running& running, const SequenceOutcome& outcome) {
  if (running.beams) return false;  // A predictor keeps one state of a sequence, and beams part.
  if (outcome.decoded) {
    return outcome.token &&
           predictors_.advance(id, static_cast<std::uint32_t>(running.decoded_tokens), outcome.token->token);
  }
  bool asked = predictors_.advance(id, 0, model_.config().decoder_start_token_id);
  const auto* score = std::get_if<ScoreJob>(&running.job.work);
  if (score == nullptr) return asked;
  for (std::size_t index = 0; index + 1 < score->target_ids.size(); ++index) {
    asked &= predictors_.advance(id, static_cast<std::uint32_t>(index + 1), score->target_ids[index]);
  }
  return asked;
}

}  // namespace sida::router
