#include "predictor/core/predictor_core.h"

#include <algorithm>
#include <utility>

#include "common/model/fingerprint.h"

namespace sida::predictor {
namespace {

std::string short_name(const proto::Fingerprint& fingerprint) {
  return model::to_hex(fingerprint).substr(0, 12);
}

std::size_t tokens_of(const SourceWork& work) {
  return std::max<std::size_t>(1, work.tokens.size());
}

std::uint64_t micros(Duration time) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

// The tokens [first, first + count) of predictions for [layers, tokens, k].
template <typename T>
std::vector<T> slice(const std::vector<T>& values, const Predictions& of, std::uint32_t first, std::uint32_t count) {
  std::vector<T> part;
  part.reserve(std::size_t{of.layers} * count * of.k);
  for (std::size_t layer = 0; layer < of.layers; ++layer) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>((layer * of.tokens + first) * of.k);
    part.insert(part.end(), begin, begin + static_cast<std::ptrdiff_t>(std::size_t{count} * of.k));
  }
  return part;
}

void drop(const std::vector<SequenceKey>& keys, PredictorActions& actions) {
  for (const SequenceKey& key : keys) actions.emplace_back(DropState{key});
}

}  // namespace

PredictorCore::PredictorCore(PredictorIdentity identity, HashFunctionInfo function, PredictorLimits limits)
    : identity_(std::move(identity)),
      function_(std::move(function)),
      limits_(limits),
      sequences_({limits.sequences_max, limits.state_bytes_max, limits.sequence_idle_max}) {}

PredictorActions PredictorCore::received(transport::PeerId from, const proto::Message& message, TimePoint now) {
  if (const auto* greeting = std::get_if<proto::Hello>(&message)) return hello(from, *greeting, now);
  const auto router = routers_.find(from);
  if (router == routers_.end()) {
    // Silence makes the router say Hello; a Refuse would end the link for good.
    ++counters_.ignored_messages;
    return {};
  }
  router->second.last_heard = now;
  if (const auto* wanted = std::get_if<proto::Predict>(&message)) return predict(from, *wanted, now);
  if (const auto* forgotten = std::get_if<proto::Forget>(&message)) {
    const SequenceKey key{from, forgotten->sequence};
    return sequences_.forget(key) ? PredictorActions{DropState{key}} : PredictorActions{};
  }
  if (const auto* token = std::get_if<proto::Advance>(&message)) {
    advance(from, *token, now);
  } else if (!std::holds_alternative<proto::Heartbeat>(message)) {
    ++counters_.ignored_messages;
  }
  return {};
}

PredictorActions PredictorCore::hello(transport::PeerId from, const proto::Hello& hello, TimePoint now) {
  if (hello.model != identity_.model) {
    ++counters_.refused_routers;
    return {Send{from, proto::Refuse{ErrorCode::kMismatch, "the router serves model " + short_name(hello.model) +
                                                               ", this predictor was started for model " +
                                                               short_name(identity_.model) +
                                                               ": start both with the same --model"}}};
  }
  PredictorActions actions;
  const auto known = routers_.find(from);
  if (known == routers_.end() && routers_.size() >= limits_.routers_max) {
    ++counters_.ignored_messages;
    return {};
  }
  if (known != routers_.end() && known->second.id != hello.router) drop(sequences_.forget_router(from), actions);
  routers_[from] = {hello.router, now};
  actions.emplace_back(Send{from, welcome()});
  return actions;
}

proto::Message PredictorCore::welcome() const {
  proto::Welcome welcome;
  welcome.worker = identity_.incarnation;
  welcome.name = identity_.name;
  welcome.software_version = identity_.software_version;
  welcome.model = identity_.model;
  welcome.predictor = function_.predictor;
  welcome.kernel = function_.kind;
  if (!function_.names_decoder) {
    for (std::int32_t layer = 0; layer < function_.encoder_layers; ++layer) welcome.covered_layers.emplace_back(layer);
  }
  welcome.process_id = identity_.process_id;
  return welcome;
}

std::uint8_t PredictorCore::fitting_k(std::uint8_t wanted) const {
  return std::min(wanted, function_.k_max);
}

bool PredictorCore::has_room(std::size_t tokens) {
  if (waiting_tokens_ + tokens <= limits_.waiting_tokens_max) return true;
  ++counters_.dropped_overload;
  return false;
}

PredictorActions PredictorCore::predict(transport::PeerId from, const proto::Predict& predict, TimePoint now) {
  SourceWork work{{from, predict.sequence}, predict.tokens, fitting_k(predict.k)};
  const std::size_t tokens = tokens_of(work);
  if (!has_room(tokens)) return {};
  const std::size_t state_bytes = function_.state_bytes + function_.state_bytes_per_source_token * work.tokens.size();
  PredictorActions actions;
  const auto made_room = sequences_.begin(work.key, state_bytes, now);
  counters_.expired += made_room.size();
  drop(made_room, actions);
  work.beginning = sequences_.beginning(work.key);
  waiting_tokens_ += tokens;
  sources_.push_back(std::move(work));
  return actions;
}

void PredictorCore::advance(transport::PeerId from, const proto::Advance& advance, TimePoint now) {
  const SequenceKey key{from, advance.sequence};
  if (!sequences_.advance(key, advance.position, now)) {
    ++counters_.ignored_messages;
    return;
  }
  if (!has_room(1)) return;
  ++waiting_tokens_;
  steps_.push_back({key, advance.position, advance.token, fitting_k(advance.k), sequences_.beginning(key)});
}

Work PredictorCore::take_work() {
  Work work;
  take_steps(work);  // Before the sources: those of their own sequences come with an earlier batch.
  take_sources(work);
  return work;
}

void PredictorCore::take_steps(Work& work) {
  std::vector<StepWork> of_unread_sources;
  while (!steps_.empty() && work.steps.size() < limits_.batch_tokens_max) {
    const StepWork step = steps_.front();
    steps_.pop_front();
    if (is_due(step) && !sequences_.is_reading(step.key)) {
      of_unread_sources.push_back(step);
      continue;
    }
    --waiting_tokens_;
    if (is_due(step)) work.steps.push_back(step);
  }
  steps_.insert(steps_.begin(), of_unread_sources.begin(), of_unread_sources.end());
}

void PredictorCore::take_sources(Work& work) {
  std::size_t batch_tokens = 0;
  while (!sources_.empty()) {
    const std::size_t tokens = tokens_of(sources_.front());
    const bool due = is_due(sources_.front());
    if (due && batch_tokens > 0 && batch_tokens + tokens > limits_.batch_tokens_max) break;
    waiting_tokens_ -= tokens;
    if (due) {
      batch_tokens += tokens;
      sequences_.set_reading(sources_.front().key);
      work.sources.push_back(std::move(sources_.front()));
    }
    sources_.pop_front();
  }
}

PredictorActions PredictorCore::finished(const Work& work, std::vector<Predictions> sources,
                                         std::vector<Predictions> steps) {
  SIDA_CHECK(sources.size() == work.sources.size() && steps.size() == work.steps.size());
  ++progress_;
  PredictorActions actions;
  counters_.source_batches += sources.empty() ? 0 : 1;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    ++counters_.sources;
    counters_.source_tokens += work.sources[i].tokens.size();
    answer_source(work.sources[i], sources[i], actions);
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    ++counters_.steps;
    answer_step(work.steps[i], std::move(steps[i]), actions);
  }
  return actions;
}

void PredictorCore::answer_source(const SourceWork& work, const Predictions& predictions, PredictorActions& actions) {
  if (!sequences_.knows(work.key) || predictions.layers == 0) return;
  counters_.entries += std::uint64_t{predictions.layers} * predictions.tokens;
  for (std::uint32_t first = 0; first < predictions.tokens; first += kTokensPerMessage) {
    const std::uint32_t count = std::min(kTokensPerMessage, predictions.tokens - first);
    actions.emplace_back(
        Send{work.key.router,
             proto::HashTableEntries{.sequence = work.key.sequence,
                                     .model = identity_.model,
                                     .predictor = function_.predictor,
                                     .first_layer = LayerId{0},
                                     .layers = predictions.layers,
                                     .first_token = first,
                                     .tokens = count,
                                     .k = predictions.k,
                                     .experts = slice(predictions.experts, predictions, first, count),
                                     .confidences = slice(predictions.confidences, predictions, first, count)}});
  }
}

void PredictorCore::answer_step(const StepWork& work, Predictions predictions, PredictorActions& actions) {
  if (!sequences_.knows(work.key) || predictions.layers == 0) return;
  counters_.entries += predictions.layers;
  actions.emplace_back(
      Send{work.key.router, proto::HashTableEntries{.sequence = work.key.sequence,
                                                    .model = identity_.model,
                                                    .predictor = function_.predictor,
                                                    .first_layer = LayerId{function_.encoder_layers},
                                                    .layers = predictions.layers,
                                                    .first_token = work.position,
                                                    .tokens = 1,
                                                    .k = predictions.k,
                                                    .experts = std::move(predictions.experts),
                                                    .confidences = std::move(predictions.confidences)}});
}

PredictorActions PredictorCore::tick(TimePoint now) {
  ++progress_;
  PredictorActions actions;
  if (now < next_tick_) return actions;
  next_tick_ = now + kHeartbeatInterval;
  const auto expired = sequences_.expire(now);
  counters_.expired += expired.size();
  drop(expired, actions);
  for (auto router = routers_.begin(); router != routers_.end();) {
    if (now - router->second.last_heard > limits_.router_silence_max) {
      drop(sequences_.forget_router(router->first), actions);
      router = routers_.erase(router);
    } else {
      actions.emplace_back(Send{router->first, proto::Heartbeat{progress_, !sources_.empty() || !steps_.empty()}});
      ++router;
    }
  }
  return actions;
}

PredictorActions PredictorCore::report(const PredictorTimes& times, const proto::LinkFaults& faults) const {
  const proto::PredictorReport report{.sequences = sequences_.size(),
                                      .state_bytes = sequences_.state_bytes(),
                                      .sources = counters_.sources,
                                      .source_tokens = counters_.source_tokens,
                                      .source_batches = counters_.source_batches,
                                      .steps = counters_.steps,
                                      .entries = counters_.entries,
                                      .source_micros = micros(times.sources),
                                      .step_micros = micros(times.steps),
                                      .cpu_micros = micros(times.cpu),
                                      .uptime_micros = micros(times.up),
                                      .expired = counters_.expired,
                                      .dropped = counters_.dropped_overload,
                                      .faults = faults};
  PredictorActions actions;
  for (const auto& [peer, router] : routers_) actions.emplace_back(Send{peer, report});
  return actions;
}

PredictorActions PredictorCore::router_gone(transport::PeerId router) {
  PredictorActions actions;
  routers_.erase(router);
  drop(sequences_.forget_router(router), actions);
  return actions;
}

PredictorActions PredictorCore::drain() const {
  PredictorActions actions;
  for (const auto& [peer, router] : routers_) actions.emplace_back(Send{peer, proto::Draining{}});
  return actions;
}

}  // namespace sida::predictor
