#include "predictor/core/predictor_agent.h"

#include <spdlog/spdlog.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/proto/codec.h"
#include "common/runtime/waiter.h"

namespace sida::predictor {
namespace {

// Messages taken in one turn, so that a flood does not keep heartbeats and answers waiting.
constexpr int kMessagesPerTurn = 256;
// Between two reports to routers: twice for each of theirs to the operator would show no more.
constexpr std::chrono::milliseconds kReportInterval{500};
// Between two lines that say what was predicted, where anything was.
constexpr std::chrono::seconds kLogInterval{60};
// A peer that sends nonsense fills no disk.
constexpr std::chrono::seconds kMalformedLogInterval{1};
// Decoder tokens computed before they are answered. Sixteen together cost sixteen times one (docs/benchmarks.md).
constexpr std::size_t kStepsTogether = 4;

Duration process_cpu_time() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

PredictorAgent::PredictorAgent(PredictorIdentity identity, std::unique_ptr<HashFunction> function,
                               std::unique_ptr<transport::ControlServer> link, PredictorLimits limits,
                               std::shared_ptr<const transport::Keyring> keyring, AliveFile alive)
    : core_(std::move(identity), function->info(), limits),
      function_(std::move(function)),
      link_(std::move(link)),
      keyring_(std::move(keyring)),
      alive_(std::move(alive)) {}

void PredictorAgent::run(int stop_descriptor) {
  const std::array descriptors{link_->wake_descriptor(), stop_descriptor};
  while (!is_readable(stop_descriptor)) {
    if (!turn(steady_now())) wait_readable(descriptors, core_.next_tick());
  }
  carry_out(core_.drain());
}

bool PredictorAgent::turn(TimePoint now) {
  carry_out(core_.tick(now));
  // One thread: that it gets here is progress.
  alive_.beat(0, false, now);
  report(now);
  // The link is read after all else, since a send may take its wake-up away.
  const bool worked = work();
  return receive(now) || worked;
}

bool PredictorAgent::receive(TimePoint now) {
  for (int taken = 0; taken < kMessagesPerTurn; ++taken) {
    auto received = link_->receive();
    if (!received) return taken > 0;
    auto envelope = proto::decode(received->message.bytes());
    if (!envelope) {
      count_malformed(envelope.error(), now);
      continue;
    }
    const auto routers_before = core_.routers();
    carry_out(core_.received(received->peer, envelope->message, now));
    if (core_.routers() != routers_before) spdlog::info("router greeted routers={}", core_.routers());
  }
  return true;
}

bool PredictorAgent::work() {
  Work work = core_.take_work();
  if (work.empty()) return false;
  // Steps are answered before the sources of the same batch are computed: a decoder's next layer is near.
  const std::vector<StepWork> steps = std::exchange(work.steps, {});
  for (std::size_t first = 0; first < steps.size(); first += kStepsTogether) {
    const auto count = std::min(kStepsTogether, steps.size() - first);
    take_steps(std::span(steps).subspan(first, count));
  }
  read_sources(work);
  return true;
}

void PredictorAgent::read_sources(const Work& work) {
  if (work.sources.empty()) return;
  const TimePoint began = steady_now();
  std::vector<Source> sources;
  for (const SourceWork& source : work.sources) sources.push_back({source.tokens, source.k});
  std::vector<Predictions> predicted;
  for (Beginning& begun : function_->begin(sources)) {
    states_[work.sources[predicted.size()].key] = std::move(begun.state);
    predicted.push_back(std::move(begun.predictions));
  }
  times_.sources += steady_now() - began;
  carry_out(core_.finished(work, std::move(predicted), {}));
}

void PredictorAgent::take_steps(std::span<const StepWork> steps) {
  // A router that the link found gone has taken its states along.
  Work due;
  std::vector<DecoderInput> inputs;
  for (const StepWork& step : steps) {
    const auto state = states_.find(step.key);
    if (state == states_.end()) continue;
    inputs.push_back({state->second.get(), step.token, step.k});
    due.steps.push_back(step);
  }
  if (inputs.empty()) return;
  const TimePoint began = steady_now();
  std::vector<Predictions> predicted = function_->advance(inputs);
  times_.steps += steady_now() - began;
  carry_out(core_.finished(due, {}, std::move(predicted)));
}

void PredictorAgent::carry_out(const PredictorActions& actions) {
  for (const PredictorAction& action : actions) {
    if (const auto* dropped = std::get_if<DropState>(&action)) {
      states_.erase(dropped->key);
    } else {
      send(std::get<Send>(action));
    }
  }
}

void PredictorAgent::send(const Send& action) {
  const auto sent = link_->send(action.router, transport::Frame::take(proto::encode({{}, action.message})));
  if (sent) return;
  if (sent.error().code != ErrorCode::kUnavailable) return;  // Advice may be lost.
  carry_out(core_.router_gone(action.router));
  spdlog::info("router gone routers={}", core_.routers());
}

std::string PredictorAgent::summary(TimePoint now) const {
  const auto micros = [](Duration time, std::uint64_t count) {
    return count == 0
               ? 0
               : std::chrono::duration_cast<std::chrono::microseconds>(time).count() / static_cast<std::int64_t>(count);
  };
  const PredictorCounters& counters = core_.counters();
  const Duration up = std::max<Duration>(now - began_, std::chrono::milliseconds(1));
  return "sources=" + std::to_string(counters.sources) +
         " source_us=" + std::to_string(micros(times_.sources, counters.sources)) +
         " steps=" + std::to_string(counters.steps) +
         " step_us=" + std::to_string(micros(times_.steps, counters.steps)) +
         " busy_percent=" + std::to_string(100 * (times_.sources + times_.steps) / up);
}

void PredictorAgent::report(TimePoint now) {
  log_report(now);
  if (now < next_report_) return;
  next_report_ = now + kReportInterval;
  times_.cpu = process_cpu_time();
  times_.up = now - began_;
  proto::LinkFaults faults{.malformed_messages = malformed_messages_};
  if (keyring_) {
    const transport::LinkRefusals refused = keyring_->refusals();
    faults.unknown_keys = refused.unknown_keys;
    faults.handshakes = refused.handshakes;
  }
  carry_out(core_.report(times_, faults));
}

void PredictorAgent::log_report(TimePoint now) {
  if (now < next_log_) return;
  next_log_ = now + kLogInterval;
  const std::uint64_t progress = core_.counters().sources + core_.counters().steps;
  if (progress == reported_progress_) return;
  reported_progress_ = progress;
  spdlog::info("predicted {}", summary(now));
}

void PredictorAgent::count_malformed(const Error& error, TimePoint now) {
  ++malformed_messages_;
  if (now < next_malformed_log_) return;
  next_malformed_log_ = now + kMalformedLogInterval;
  spdlog::warn("malformed message count={} error=\"{}\"", malformed_messages_, error.message);
}

}  // namespace sida::predictor
