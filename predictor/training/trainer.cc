#include "predictor/training/trainer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <utility>

#include "predictor/training/differentiable.h"

namespace sida::predictor {
namespace {

constexpr double kWarmUp = 0.01;
constexpr double kLastShare = 0.02;

// So many tokens of the held-out sequences, spread over all of them.
std::vector<SequencePlace> sample(const std::vector<SequencePlace>& places, std::int64_t tokens) {
  std::int64_t all = 0;
  for (const SequencePlace& place : places) all += place.tokens();
  const std::int64_t every = std::max<std::int64_t>(1, (all + tokens - 1) / tokens);
  std::vector<SequencePlace> taken;
  for (std::size_t i = 0; i < places.size(); i += static_cast<std::size_t>(every)) taken.push_back(places[i]);
  return taken;
}

double percent(const at::Tensor& hits, std::int64_t tokens) {
  return tokens == 0 ? 0 : 100 * hits.mean().item<double>() / static_cast<double>(tokens);
}

void add(const Hits& more, Hits& to) {
  to.top3 = to.tokens == 0 ? more.top3 : to.top3 + more.top3;
  to.tokens += more.tokens;
}

}  // namespace

double rate_share(double done) {
  if (done < kWarmUp) return std::max(0.05, done / kWarmUp);
  return kLastShare + (1 - kLastShare) * 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, done)));
}

Trainer::Trainer(const TrainingOptions& options, const NetworkShape& shape, const ModelShape& model,
                 at::Tensor embedding, Corpus& corpus, Parameters& parameters, const std::string& purpose)
    : options_(options),
      shape_(shape),
      model_(model),
      embedding_(std::move(embedding)),
      corpus_(corpus),
      parameters_(parameters),
      adam_(parameters, options.copied_rate),
      checkpoint_(options.checkpoint, purpose),
      measured_(plan_batches(sample(corpus.held_out(), options.held_out_tokens), 2 * options.batch_tokens, nullptr)),
      best_(parameters.snapshot()) {}

double Trainer::seconds() const {
  return seconds_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

double Trainer::done() const {
  const double read = static_cast<double>(progress_.tokens) / static_cast<double>(options_.tokens);
  return options_.minutes > 0 ? std::max(read, seconds() / (60 * options_.minutes)) : read;
}

bool Trainer::finished() const {
  return done() >= 1 || (options_.patience > 0 && progress_.stale >= options_.patience);
}

std::map<std::string, at::Tensor> Trainer::tensors() {
  std::map<std::string, at::Tensor> all = adam_.state();
  for (auto& [name, parameter] : parameters_.all()) all["weight." + name] = parameter.value.detach();
  for (auto& [name, value] : best_) all["best." + name] = value;
  return all;
}

Result<void> Trainer::save() {
  progress_.seconds = seconds();
  return checkpoint_.save(progress_, tensors());
}

Result<void> Trainer::resume() {
  auto state = tensors();
  auto found = checkpoint_.load(state);
  if (!found) return tl::unexpected(std::move(found).error());
  if (!*found) return {};
  progress_ = **found;
  seconds_before_ = progress_.seconds;
  adam_.set_steps(progress_.steps);
  return {};
}

at::Tensor Trainer::loss_of(const NetworkOutput& output, const Batch& batch) const {
  const auto loss = shape_.variant == Variant::kPublished ? published_loss : sharpened_loss;
  const at::Tensor source = loss(output.source, batch.source);
  const bool decoder = output.target.raw.defined() && batch.target.count() > 0;
  return decoder ? source + loss(output.target, batch.target) : source;
}

Result<void> Trainer::step(const std::vector<SequencePlace>& places) {
  auto sequences = corpus_.read(places);
  if (!sequences) return tl::unexpected(std::move(sequences).error());
  const Batch batch = make_batch(corpus_.header(), *sequences);
  const at::Tensor loss = loss_of(run_network(shape_, model_, parameters_, embedding_, batch), batch);
  loss.backward();
  adam_.step(options_.rate * rate_share(done()));
  loss_sum_ += loss.item<double>();
  ++loss_steps_;
  ++progress_.steps;
  progress_.tokens += batch.source.count() + batch.target.count();
  return {};
}

Result<Measurement> Trainer::measure() {
  const c10::NoGradGuard no_gradients;
  Hits encoder;
  Hits decoder;
  double loss = 0;
  for (const auto& places : measured_) {
    auto sequences = corpus_.read(places);
    if (!sequences) return tl::unexpected(std::move(sequences).error());
    const Batch batch = make_batch(corpus_.header(), *sequences);
    const NetworkOutput output = run_network(shape_, model_, parameters_, embedding_, batch);
    loss += loss_of(output, batch).item<double>();
    add(count_hits(output.source, batch.source), encoder);
    if (output.target.raw.defined()) add(count_hits(output.target, batch.target), decoder);
  }
  Measurement found;
  found.held_out_loss = loss / static_cast<double>(measured_.size());
  found.encoder_top3 = percent(encoder.top3, encoder.tokens);
  if (decoder.tokens > 0) found.decoder_top3 = percent(decoder.top3, decoder.tokens);
  found.training_loss = loss_steps_ > 0 ? loss_sum_ / static_cast<double>(loss_steps_) : 0;
  loss_sum_ = 0;
  loss_steps_ = 0;
  ++progress_.stale;
  if (progress_.best_loss < 0 || found.held_out_loss < progress_.best_loss) {
    progress_.best_loss = found.held_out_loss;
    progress_.stale = 0;
    best_ = parameters_.snapshot();
  }
  progress_.seconds = seconds();
  found.progress = progress_;
  found.tokens_per_second = static_cast<double>(progress_.tokens) / std::max(1e-3, progress_.seconds);
  found.seconds_left = done() > 0 ? progress_.seconds * std::max(0.0, 1 / done() - 1) : 0;
  return found;
}

Result<Progress> Trainer::run(const std::function<void(const Measurement&)>& tell, const std::function<bool()>& stop) {
  began_ = std::chrono::steady_clock::now();
  SIDA_TRY(resume());
  while (!finished()) {
    std::mt19937_64 random(static_cast<std::uint64_t>(options_.seed) * 1'000'003U +
                           static_cast<std::uint64_t>(progress_.epoch));
    const SequenceBatches batches = plan_batches(corpus_.training(), options_.batch_tokens, &random);
    while (!finished() && progress_.batch < static_cast<std::int64_t>(batches.size())) {
      SIDA_TRY(step(batches[static_cast<std::size_t>(progress_.batch++)]));
      const bool due = progress_.steps % options_.measure_every == 0 || finished();
      if (due) {
        auto found = measure();
        if (!found) return tl::unexpected(std::move(found).error());
        tell(*found);
      }
      const bool stopped = !finished() && stop();
      if (due || stopped) SIDA_TRY(save());
      if (stopped) return fail(ErrorCode::kCancelled, "stopped; the same command goes on from " + options_.checkpoint);
    }
    if (!finished()) {
      ++progress_.epoch;
      progress_.batch = 0;
    }
  }
  parameters_.restore(best_);
  return progress_;
}

}  // namespace sida::predictor
