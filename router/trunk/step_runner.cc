#include "router/trunk/step_runner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "router/trunk/sampler.h"
#include "router/trunk/tensor_rows.h"

namespace sida::router {
namespace {

Error not_finite() {
  return {ErrorCode::kInternal,
          "the model's scores are not finite: its weights are damaged, or overflow in this compute type"};
}

constexpr std::int64_t kHeadRows = 32;  // Rows of logits at a time: 4 MB for Switch's vocabulary.

// The part of each layer's routing that belongs to rows [first, first + rows).
std::vector<LayerRouting> routing_of(const std::vector<LayerRouting>& layers, std::size_t first, std::size_t rows) {
  const auto cut = [&](const auto& all, std::size_t per_row) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first * per_row);
    return std::decay_t<decltype(all)>(begin, begin + static_cast<std::ptrdiff_t>(rows * per_row));
  };
  std::vector<LayerRouting> routing;
  routing.reserve(layers.size());
  for (const auto& layer : layers) {
    routing.push_back({.layer = layer.layer,
                       .began = layer.began,
                       .k = layer.k,
                       .gate = cut(layer.gate, 1),
                       .by_table = cut(layer.by_table, 1),
                       .served = cut(layer.served, layer.k),
                       .weights = cut(layer.weights, layer.k),
                       .served_by = cut(layer.served_by, layer.k),
                       .gates = layer.gates.cut(first, rows)});
  }
  return routing;
}

}  // namespace

struct StepRunner::Running {
  TrunkStep step;
  ForwardContext context;
  std::vector<SequenceState*> encode;
  std::vector<SequenceState*> decode;    // Several of a beam search.
  std::vector<std::size_t> decode_rows;  // Per sequence of step.decode, counted before the pass.
  std::optional<Task<Result<EncodeOutput>>> encode_task;
  std::optional<Task<Result<DecodeOutput>>> decode_task;

  [[nodiscard]] bool done() const {
    return (!encode_task || encode_task->done()) && (!decode_task || decode_task->done());
  }
};

StepRunner::StepRunner(const TrunkWeights& weights, compute::Backend& backend, Experts& experts, RoutingOptions routing)
    : weights_(weights), backend_(backend), experts_(experts), routing_(routing) {}

StepRunner::~StepRunner() = default;

void StepRunner::add_sequence(NewSequence&& sequence) {
  auto added = std::make_unique<Sequence>();
  added->state.id = sequence.id;
  added->state.source = std::move(sequence.source);
  added->state.decoder_tokens = {weights_.config().decoder_start_token_id};
  if (!sequence.target.empty()) {
    added->state.decoder_tokens.insert(added->state.decoder_tokens.end(), sequence.target.begin(),
                                       sequence.target.end() - 1);
  }
  added->end_tokens = weights_.config().eos_token_ids;
  const auto& stops = sequence.sampling.stop_token_ids;
  added->end_tokens.insert(added->end_tokens.end(), stops.begin(), stops.end());
  if (sequence.sampling.beam_search) added->beams.emplace(sequence.sampling, added->end_tokens);
  added->sampling = std::move(sequence.sampling);
  added->target = std::move(sequence.target);
  added->state.routing = sequence.routing;
  added->state.head = sequence.head;
  added->record_gates = sequence.record_gates;
  sequences_[sequence.id] = std::move(added);
}

void StepRunner::take_table(Running& step, SequenceState& state, std::size_t rows) {
  state.table.reset();
  const auto found = step.step.tables.find(state.id);
  if (found == step.step.tables.end()) return;
  SIDA_CHECK(found->second.rows == rows);
  state.table = std::move(found->second);
}

void StepRunner::start(TrunkStep step) {
  for (const SequenceId id : step.release) sequences_.erase(id);
  running_.push_back(std::make_unique<Running>(Running{
      .step = std::move(step),
      .context = {.weights = weights_, .backend = backend_, .experts = experts_},
  }));
  Running& running = *running_.back();
  running.context.step = running.step.id;
  running.context.deadline = running.step.deadline;
  running.context.routing = routing_;
  for (const SequenceId id : running.step.decode) {
    const auto found = sequences_.find(id);
    SIDA_CHECK(found != sequences_.end());
    running.context.record_gates |= found->second->record_gates;
    SequenceState& state = found->second->state;
    if (auto& beams = found->second->beams) {
      state.table.reset();  // The encoder's; the decoder of beams has none.
      const std::vector<SequenceState*> states = beams->states(state);
      running.decode.insert(running.decode.end(), states.begin(), states.end());
      running.decode_rows.push_back(states.size());
      continue;
    }
    running.decode.push_back(&state);
    running.decode_rows.push_back(state.decoder_tokens.size() - static_cast<std::size_t>(state.cached()));
    take_table(running, state, running.decode_rows.back());
  }
  for (auto& sequence : running.step.encode) {
    const SequenceId id = sequence.id;
    add_sequence(std::move(sequence));
    SequenceState& state = sequences_.at(id)->state;
    running.encode.push_back(&state);
    running.context.record_gates |= sequences_.at(id)->record_gates;
    take_table(running, state, state.source.size());
  }
  if (!running.encode.empty()) running.encode_task.emplace(encode(running.context, running.encode)).start();
  if (!running.decode.empty()) running.decode_task.emplace(decode(running.context, running.decode)).start();
}

std::size_t StepRunner::coroutines() const {
  std::size_t count = 0;
  for (const auto& step : running_) {
    count += step->encode_task && !step->encode_task->done() ? 1U : 0U;
    count += step->decode_task && !step->decode_task->done() ? 1U : 0U;
  }
  return count;
}

std::optional<StepDone> StepRunner::take_done() {
  const auto ended = std::ranges::find_if(running_, [](const auto& step) { return step->done(); });
  if (ended == running_.end()) return std::nullopt;
  const std::unique_ptr<Running> step = std::move(*ended);
  running_.erase(ended);
  StepDone done;
  done.id = step->step.id;
  if (step->encode_task) finish_encode(*step, done);
  if (step->decode_task) finish_decode(*step, done);
  return done;
}

void StepRunner::finish_encode(Running& step, StepDone& done) {
  auto output = step.encode_task->take();
  std::size_t first_row = 0;
  for (SequenceState* state : step.encode) {
    SequenceOutcome outcome;
    outcome.id = state->id;
    const std::size_t rows = state->source.size();
    if (output) {
      outcome.routing = routing_of(output->routing, first_row, rows);
      outcome.finished = state->head.has_value();
      outcome.logits = std::move(state->logits);
      if (!std::ranges::all_of(outcome.logits, [](float logit) { return std::isfinite(logit); })) {
        outcome.error = not_finite();
      }
    } else {
      outcome.error = output.error();
      outcome.finished = true;
    }
    if (outcome.finished) sequences_.erase(outcome.id);
    first_row += rows;
    done.outcomes.push_back(std::move(outcome));
  }
}

void StepRunner::finish_decode(Running& step, StepDone& done) {
  auto output = step.decode_task->take();
  std::vector<SequenceOutcome> outcomes(step.step.decode.size());
  std::size_t first_row = 0;
  for (std::size_t index = 0; index < outcomes.size(); ++index) {
    SequenceOutcome& outcome = outcomes[index];
    outcome.id = step.step.decode[index];
    outcome.decoded = true;
    if (output) {
      outcome.routing = routing_of(output->routing, first_row, step.decode_rows[index]);
    } else {
      outcome.error = output.error();
      outcome.finished = true;
    }
    first_row += step.decode_rows[index];
  }
  if (output) read_out(step, *output, outcomes);
  for (SequenceOutcome& outcome : outcomes) {
    if (outcome.finished) sequences_.erase(outcome.id);
    done.outcomes.push_back(std::move(outcome));
  }
}

void StepRunner::read_out(Running& step, const DecodeOutput& output, std::vector<SequenceOutcome>& outcomes) {
  std::size_t index = 0;
  std::size_t row_in_sequence = 0;
  for (std::int64_t first = 0; first < output.hidden.size(0); first += kHeadRows) {
    const std::int64_t count = std::min(kHeadRows, output.hidden.size(0) - first);
    const at::Tensor scores = logits(step.context, output.hidden, first, count);
    const auto vocab = static_cast<std::size_t>(scores.size(1));
    for (std::int64_t row = 0; row < count; ++row) {
      const std::span<float> row_scores(rows_of(scores).f32() + static_cast<std::size_t>(row) * vocab, vocab);
      Sequence& sequence = *sequences_.at(outcomes[index].id);
      const double log_sum = log_sum_exp(row_scores);
      if (!std::isfinite(log_sum)) {
        outcomes[index].error = not_finite();
        outcomes[index].finished = true;
      } else if (sequence.beams) {
        const bool last_row = row_in_sequence + 1 == step.decode_rows[index];
        sequence.beams->take_row(row_in_sequence, row_scores, log_sum);
        if (last_row && !outcomes[index].error) advance_beams(*sequence.beams, outcomes[index]);
      } else if (sequence.target.empty()) {
        sample(sequence, row_scores, log_sum, outcomes[index]);
      } else {
        const auto target = static_cast<std::size_t>(sequence.target[row_in_sequence]);
        outcomes[index].target_logprobs.push_back(
            static_cast<float>(static_cast<double>(row_scores[target]) - log_sum));
        outcomes[index].finished = true;
      }
      if (++row_in_sequence == step.decode_rows[index]) {
        row_in_sequence = 0;
        ++index;
      }
    }
  }
}

void StepRunner::advance_beams(BeamDecoder& beams, SequenceOutcome& outcome) {
  outcome.finished = beams.advance();
  if (!outcome.finished) return;
  outcome.beams = beams.results();
  outcome.finish_reason = outcome.beams.front().finish_reason;
}

void StepRunner::sample(Sequence& sequence, std::span<float> scores, double log_sum, SequenceOutcome& outcome) {
  const SamplingParams& params = sequence.sampling;
  GeneratedToken token;
  token.top = best_tokens(scores, params.logprobs);
  const std::vector<float> unfiltered(scores.begin(), scores.end());
  filter_scores(scores, {sequence.state.decoder_tokens, sequence.generated, sequence.end_tokens}, params);
  token.token = choose_token(scores, params, static_cast<std::uint64_t>(sequence.generated));
  token.logprob = static_cast<float>(static_cast<double>(unfiltered[static_cast<std::size_t>(token.token)]) - log_sum);
  ++sequence.generated;
  sequence.state.decoder_tokens.push_back(token.token);
  const auto& ends = sequence.end_tokens;
  if (std::find(ends.begin(), ends.end(), token.token) != ends.end()) {
    outcome.finished = true;
    outcome.finish_reason = FinishReason::kStop;
  } else if (sequence.generated >= params.max_new_tokens) {
    outcome.finished = true;
    outcome.finish_reason = FinishReason::kLength;
  }
  outcome.token = std::move(token);
}

}  // namespace sida::router
