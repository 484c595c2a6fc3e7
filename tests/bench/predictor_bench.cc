// Time per source of the learned networks, and per decoder token, with random weights, on one thread.
//   cmake --preset release -DSIDA_BENCH=ON && cmake --build build/release --target predictor_bench
//   build/release/bench/predictor_bench --benchmark_repetitions=7 --benchmark_report_aggregates_only=true
// Arguments: tokens of a source, sources in the batch. Time is CPU time: compare medians on a machine that others use.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "predictor/file/predictor_file.h"
#include "predictor/network/miniature.h"
#include "predictor/network/published.h"
#include "tests/unit/predictor/network/tiny_network.h"

namespace sida::predictor {
namespace {

struct Setting {
  ModelShape model;
  NetworkShape shape;
};

NetworkShape published() {
  return {.variant = Variant::kPublished, .width = kPublishedWidth, .encoder = {}, .decoder = {}};
}

// What `sida train` chooses for the demo model and for switch-base-256.
const ModelShape kDemo{.vocab_size = 8000, .d_model = 128, .num_experts = 16, .encoder_layers = 3, .decoder_layers = 3};
const ModelShape kBase256{
    .vocab_size = 32128, .d_model = 768, .num_experts = 256, .encoder_layers = 6, .decoder_layers = 6};

NetworkShape own_width() {
  return {Variant::kMiniature,
          128,
          4,
          32,
          {{512, 256, 512, 256, 512, 256}, {1, 3, 5}},
          {{512, 256, 512, 256, 512, 0}, {1, 3, 5}}};
}
NetworkShape narrow() {
  return {Variant::kMiniature,
          128,
          4,
          32,
          {{256, 256, 256, 256}, {0, 0, 1, 1, 2, 3}},
          {{256, 256, 256, 0}, {0, 0, 1, 1, 2, 3}}};
}

class Made {
 public:
  explicit Made(const Setting& setting)
      : embedding_(setting.model.vocab_size, setting.model.d_model,
                   tiny_values({"embedding", {setting.model.vocab_size, setting.model.d_model}}, 1)),
        backend_(std::move(*compute::make_cpu_backend({}))) {
    const auto path = directory_.path() / "weights.safetensors";
    write_tiny_weights(path, setting.shape, setting.model);
    auto file = PredictorFile::open(path);
    const bool published = setting.shape.variant == Variant::kPublished;
    auto weights =
        PackedWeights::load(*file, setting.shape, setting.model, published ? DType::kFloat32 : DType::kBFloat16);
    SIDA_CHECK(weights.has_value());
    if (published) {
      network_ = std::make_unique<Published>(setting.shape, setting.model, std::move(*weights), embedding_, *backend_);
    } else {
      network_ = std::make_unique<Miniature>(setting.shape, std::move(*weights), embedding_, *backend_);
    }
  }
  Network& network() { return *network_; }

 private:
  test::TemporaryDirectory directory_;
  TokenEmbedding embedding_;
  std::unique_ptr<compute::Backend> backend_;
  std::unique_ptr<Network> network_;
};

std::vector<std::int32_t> text(std::int64_t tokens) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < tokens; ++i) ids.push_back(static_cast<std::int32_t>((i * 7919 + 13) % 7000));
  return ids;
}

void encode(benchmark::State& state, const Setting& setting) {
  Made made(setting);
  const std::vector<std::int32_t> source = text(state.range(0));
  const std::vector<std::span<const std::int32_t>> sources(static_cast<std::size_t>(state.range(1)), source);
  for (auto _ : state) benchmark::DoNotOptimize(made.network().encode(sources));
}

void decode(benchmark::State& state, const Setting& setting) {
  Made made(setting);
  const std::vector<std::int32_t> source = text(state.range(0));
  const std::vector<std::span<const std::int32_t>> sources(static_cast<std::size_t>(state.range(1)), source);
  const auto encoded = made.network().encode(sources);
  std::vector<DecoderToken> inputs;
  for (const EncodedSource& one : encoded) inputs.push_back({one.memory.get(), 5});
  for (auto _ : state) benchmark::DoNotOptimize(made.network().decode(inputs));
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->Args({32, 1})->Args({300, 1})->Args({32, 16})->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(encode, demo_published, Setting{kDemo, published()})->Apply(shapes);
BENCHMARK_CAPTURE(encode, demo_miniature, Setting{kDemo, own_width()})->Apply(shapes);
BENCHMARK_CAPTURE(encode, base_256_published, Setting{kBase256, published()})->Apply(shapes);
BENCHMARK_CAPTURE(encode, base_256_miniature, Setting{kBase256, narrow()})->Apply(shapes);
BENCHMARK_CAPTURE(decode, demo_miniature, Setting{kDemo, own_width()})->Apply(shapes);
BENCHMARK_CAPTURE(decode, base_256_miniature, Setting{kBase256, narrow()})->Apply(shapes);

}  // namespace
}  // namespace sida::predictor

BENCHMARK_MAIN();
