// The networks with gradients and those that serve are the same functions.
#include "predictor/training/differentiable.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>

#include "predictor/file/predictor_file.h"
#include "predictor/network/miniature.h"
#include "predictor/network/published.h"
#include "tests/unit/predictor/network/tiny_network.h"
#include "tests/unit/predictor/training/tiny_trace.h"

namespace sida::predictor {
namespace {

// fp32, other orders of additions.
constexpr double kTolerance = 2e-5;

std::vector<float> embedding_values() {
  return tiny_values({"embedding", {40, 8}}, 3);
}

// The same weights twice: with gradients, and packed for the kernels.
struct BothForms {
  explicit BothForms(const NetworkShape& of)
      : shape(of), embedding(40, 8, embedding_values()), backend(std::move(*compute::make_cpu_backend({}))) {
    const auto path = directory.path() / "weights.safetensors";
    write_tiny_weights(path, shape, tiny_model_shape());
    std::map<std::string, at::Tensor> values;
    for (const NetworkTensor& tensor : tensors_of(shape, tiny_model_shape())) {
      std::vector<float> read = tiny_values(tensor, 1);
      values[tensor.name] = at::from_blob(read.data(), tensor.shape, at::kFloat).clone();
    }
    parameters.restore(values);
    auto file = PredictorFile::open(path);
    auto weights = PackedWeights::load(*file, shape, tiny_model_shape(), DType::kFloat32);
    SIDA_CHECK(weights.has_value());
    if (shape.variant == Variant::kPublished) {
      network = std::make_unique<Published>(shape, tiny_model_shape(), std::move(*weights), embedding, *backend);
    } else {
      network = std::make_unique<Miniature>(shape, std::move(*weights), embedding, *backend);
    }
  }
  NetworkOutput run(const Batch& batch) const {
    std::vector<float> values = embedding_values();
    return run_network(shape, tiny_model_shape(), parameters, at::from_blob(values.data(), {40, 8}, at::kFloat).clone(),
                       batch);
  }

  NetworkShape shape;
  test::TemporaryDirectory directory;
  Parameters parameters = Parameters::random(shape, tiny_model_shape(), 5);
  TokenEmbedding embedding;
  std::unique_ptr<compute::Backend> backend;
  std::unique_ptr<Network> network;
};

std::vector<trace::TracedSequence> sequences(const trace::TraceHeader& header) {
  std::vector<trace::TracedSequence> made;
  for (std::uint64_t i = 0; i < 5; ++i) made.push_back(tiny_sequence(header, i));
  return made;
}

void expect_near(const at::Tensor& expected, const OwnedRows& found, std::int64_t row) {
  for (std::int64_t expert = 0; expert < found.columns(); ++expert) {
    EXPECT_NEAR(expected[expert].item<double>(), found.part(row, 1).f32()[expert], kTolerance);
  }
}

void expect_same_encoder(const NetworkShape& shape) {
  const BothForms both(shape);
  const auto header = tiny_header({});
  const auto traced = sequences(header);
  const at::Tensor expected = both.run(make_batch(header, traced)).source.logits;
  std::vector<std::span<const std::int32_t>> sources;
  for (const auto& sequence : traced) sources.emplace_back(sequence.source);
  const auto encoded = both.network->encode(sources);
  std::int64_t row = 0;
  for (std::size_t i = 0; i < traced.size(); ++i) {
    for (std::size_t token = 0; token < traced[i].source.size(); ++token, ++row) {
      for (std::size_t layer = 0; layer < 2; ++layer) {
        expect_near(expected[row][static_cast<std::int64_t>(layer)], encoded[i].logits[layer],
                    static_cast<std::int64_t>(token));
      }
    }
  }
}

void expect_same_decoder(const NetworkShape& shape) {
  const BothForms both(shape);
  const auto header = tiny_header({});
  const auto traced = sequences(header);
  const at::Tensor expected = both.run(make_batch(header, traced)).target.logits;
  std::int64_t row = 0;
  for (const auto& sequence : traced) {
    const std::span<const std::int32_t> source(sequence.source);
    const auto encoded = both.network->encode({&source, 1});
    for (const std::int32_t token : trace::decoder_input(header, sequence)) {
      const DecoderToken input{encoded[0].memory.get(), token};
      expect_near(expected[row++][0], both.network->decode({&input, 1})[0], 0);
    }
  }
}

TEST(Differentiable, IsTheMiniatureThatServes) {
  expect_same_encoder(tiny_miniature());
  expect_same_encoder(tiny_narrow_miniature());
}

TEST(Differentiable, IsThePublishedNetworkThatServes) {
  expect_same_encoder(tiny_published());
}

TEST(Differentiable, GivesForAWholeTargetWhatADecoderGivesStepByStep) {
  expect_same_decoder(tiny_miniature());
  expect_same_decoder(tiny_narrow_miniature());
}

TEST(Differentiable, HasAGradientForEveryParameter) {
  for (const NetworkShape& shape : {tiny_miniature(), tiny_narrow_miniature(), tiny_published()}) {
    const BothForms both(shape);
    const auto header = tiny_header({});
    const NetworkOutput output = both.run(make_batch(header, sequences(header)));
    at::Tensor sum = output.source.logits.square().sum();
    if (output.target.logits.defined()) sum = sum + output.target.logits.square().sum();
    sum.backward();
    for (const auto& [name, parameter] : both.parameters.all()) {
      EXPECT_TRUE(parameter.value.grad().defined()) << name;
    }
  }
}

}  // namespace
}  // namespace sida::predictor
