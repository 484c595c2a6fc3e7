// sida-train: what `sida train` runs. A program of its own, so that the command itself needs no LibTorch.
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/config/configure.h"
#include "predictor/training/train.h"

namespace sida::predictor {
namespace {

volatile std::sig_atomic_t stopped = 0;

void ask_to_stop(int) {
  stopped = 1;
}

config::Schema describe(TrainingOptions& o) {
  config::Schema schema(
      "sida train",
      "Learns a hash function from recorded routes: which experts a token will use, before the model\n"
      "runs. Goes on from its checkpoint where it was stopped.");
  schema.text("model", o.model, "model directory").placeholder("DIR").required();
  schema.texts("trace", o.traces, "file that sida trace wrote; repeatable").placeholder("FILE").required();
  schema.text("out", o.out, "predictor directory to write").placeholder("DIR").required();
  schema.text("checkpoint", o.checkpoint, "where to keep what it goes on from; default: OUT/checkpoint")
      .placeholder("DIR");
  schema
      .text("begin-with", o.begin_with,
            "predictor of a like model, of the same network: what is not the model's own begins as there")
      .placeholder("DIR");
  schema.choice("network", o.network, {"miniature", "published"},
                "the model's stacks in small, or SiDA-MoE's LSTM with sparse attention");
  schema.integer("width", o.width, {0, 1024}, "of the miniature").zero_means("the model's, or 128 beyond 256");
  schema.integer("blocks", o.blocks, {0, 64}, "of each of the miniature's stacks").zero_means("as the model, or 4");
  schema.integer("inner", o.inner, {0, 8192}, "width of what stands for an expert layer").zero_means("twice the width");
  schema.integer("tokens", o.tokens, {1, INT64_MAX / 2}, "to learn from, repetitions included");
  schema.number("minutes", o.minutes, 0, 1e6, "at most so long").zero_means("no limit");
  schema.integer("batch-tokens", o.batch_tokens, {16, 1 << 20}, "of one step, padding included");
  schema.number("rate", o.rate, 1e-7, 1, "Adam's, at its highest; the published network's was 5e-5");
  schema.number("copied-rate", o.copied_rate, 0, 1, "times the rate, for weights that begin as the model's own");
  schema.integer("seed", o.seed, {0, INT64_MAX}, "of first weights and order");
  schema.integer("threads", o.threads, {1, 256}, "that compute");
  schema.number("held-out", o.held_out, 0.001, 0.5, "share of the sequences that only measure");
  schema.integer("held-out-tokens", o.held_out_tokens, {1, INT64_MAX / 2}, "used at most at each measurement");
  schema.integer("measure-every", o.measure_every, {1, INT64_MAX / 2}, "steps between measurements and checkpoints");
  schema.integer("patience", o.patience, {0, 1 << 20}, "measurements without progress that end it").zero_means("never");
  schema.integer("k", o.k, {1, 8}, "experts per token that it will name");
  schema.example("sida train --model models/demo --trace demo.trace --out models/demo/predictor");
  return schema;
}

void show(const Measurement& m) {
  std::fprintf(stderr, "step %lld  %.2f M tokens  loss %.3f  held out %.3f  top-3 %.1f %%",
               static_cast<long long>(m.progress.steps), static_cast<double>(m.progress.tokens) / 1e6, m.training_loss,
               m.held_out_loss, m.encoder_top3);
  if (m.decoder_top3 >= 0) std::fprintf(stderr, "  decoder %.1f %%", m.decoder_top3);
  std::fprintf(stderr, "  %.0f tokens/s  %.0f min left\n", m.tokens_per_second, m.seconds_left / 60);
}

void print(const nlohmann::json& card, const std::string& out) {
  std::printf("%-12s %8s %8s %8s\n", "held out", "top-1", "top-3", "decoder");
  for (const auto& [task, hits] : card.at("held_out").items()) {
    const auto& encoder = hits.at("encoder");
    std::printf("%-12s %7.1f%% %7.1f%%", task.c_str(), encoder.at("top1").get<double>(),
                encoder.at("top3").get<double>());
    if (hits.contains("decoder")) std::printf(" %7.1f%%", hits.at("decoder").at("top3").get<double>());
    std::printf("\n");
  }
  std::printf("wrote %s\n", out.c_str());
}

Result<void> run(const TrainingOptions& options) {
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  const TrainingHooks hooks{.say = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); },
                            .measured = show,
                            .stop = [] { return stopped != 0; }};
  const auto card = train(options, hooks);
  if (!card) {
    Error error = card.error();
    // A model, trace or predictor that does not fit is as good as a damaged one: exit code 3.
    if (error.code == ErrorCode::kMismatch || error.code == ErrorCode::kNotFound) error.code = ErrorCode::kInvalidModel;
    return tl::unexpected(std::move(error));
  }
  print(*card, options.out);
  return {};
}

}  // namespace
}  // namespace sida::predictor

int main(int argc, char** argv) {
  sida::predictor::TrainingOptions options;
  auto schema = sida::predictor::describe(options);
  if (const auto exit_code = sida::config::configure(schema, argc, argv)) return *exit_code;
  return sida::exit_code_of(sida::predictor::run(options));
}
