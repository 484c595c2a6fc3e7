// The trunk against Hugging Face Transformers 4.57.1, value by value: tests/golden/README.md tells what is in a case.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "router/trunk/forward.h"
#include "router/trunk/sampler.h"
#include "router/trunk/step_runner.h"
#include "router/trunk/tensor_rows.h"
#include "tests/support/golden_file.h"
#include "tests/support/local_experts.h"

namespace sida::router {
namespace {

using model::Stack;

constexpr double kHiddenTolerance = 1e-4;  // Relative to the largest value of the tensor, where that is over one.
constexpr double kLogprobTolerance = 1e-4;
constexpr double kMargin = 1e-4;          // Of log-probabilities; below it a different id is a rounding tie.
constexpr double kProbabilityTie = 1e-6;  // Of the gate's two best experts.

struct Recorder : ForwardObserver {
  std::map<std::string, std::vector<float>> values;
  std::map<int, std::vector<float>> probabilities;

  static std::string name(Stack stack) { return stack == Stack::kEncoder ? "encoder" : "decoder"; }
  void hidden(Stack stack, std::int64_t block, ConstRows rows) override {
    const std::string key = block < 0 ? ".embedding" : ".block." + std::to_string(block);
    values[name(stack) + key].assign(rows.f32(), rows.f32() + rows.count * rows.columns);
  }
  void output(Stack stack, ConstRows rows) override {
    auto& out = values[name(stack) + ".output"];
    out.clear();
    for (std::int64_t index = 0; index < rows.count * rows.columns; ++index) {
      out.push_back(rows.dtype == DType::kFloat32 ? rows.f32()[index] : to_float(rows.bf16()[index]));
    }
  }
  void gate(LayerId layer, std::span<const float> row) override {
    probabilities[layer.value].assign(row.begin(), row.end());
  }
};

double largest_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return INFINITY;
  double largest = 0;
  for (std::size_t index = 0; index < a.size(); ++index) {
    largest = std::max(largest, std::abs(static_cast<double>(a[index]) - static_cast<double>(b[index])));
  }
  return largest;
}

double largest_magnitude(std::span<const float> values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

// Difference of the two largest of a row.
double top_two_gap(std::span<const float> row) {
  std::vector<float> sorted(row.begin(), row.end());
  std::partial_sort(sorted.begin(), sorted.begin() + 2, sorted.end(), std::greater<>());
  return static_cast<double>(sorted[0]) - static_cast<double>(sorted[1]);
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(SIDA_SOURCE_DIR) + "/tests/golden/cases")) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// One case: its model, its trunk in one dtype, and passes over single sequences.
class Trunk {
 public:
  Trunk(const std::string& name, DType dtype)
      : directory(std::string(SIDA_SOURCE_DIR) + "/tests/golden/cases/" + name),
        golden(directory / "golden.safetensors"),
        model(model::ModelDirectory::open(directory / "model").value()),
        weights(TrunkWeights::load(model, {dtype, model.config().expert_capacity}).value()),
        backend(compute::make_cpu_backend({}).value()),
        experts(model, *backend, dtype) {}

  SequenceState sequence(int index) const {
    const std::string prefix = "seq" + std::to_string(index) + ".";
    SequenceState state;
    state.source = golden.ids(prefix + "input_ids");
    state.decoder_tokens = golden.ids(prefix + "decoder_input_ids");
    return state;
  }
  [[nodiscard]] bool has(int index) const { return golden.has("seq" + std::to_string(index) + ".input_ids"); }

  template <typename Output>
  Output run(Task<Result<Output>> task) {
    task.start();
    experts.run_all();
    auto result = task.take();
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }

  std::filesystem::path directory;
  sida::testing::GoldenFile golden;
  model::ModelDirectory model;
  TrunkWeights weights;
  std::unique_ptr<compute::Backend> backend;
  sida::testing::LocalExperts experts;
};

std::vector<std::string> bf16_case_names() {
  std::vector<std::string> names;
  for (const std::string& name : case_names()) {
    const auto model =
        model::ModelDirectory::open(std::string(SIDA_SOURCE_DIR) + "/tests/golden/cases/" + name + "/model");
    if (model.value().config().dtype == DType::kBFloat16) names.push_back(name);
  }
  return names;
}

class TrunkGolden : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Cases, TrunkGolden, ::testing::ValuesIn(case_names()),
                         [](const auto& tested) { return tested.param; });

// "encoder.moe.1" of an MoE layer's tensor names.
std::string moe_name(const model::ModelDirectory& model, LayerId layer) {
  const auto& geometry = model.geometry();
  const auto search = [&](const std::vector<model::Block>& blocks, const std::string& stack) {
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      if (blocks[block].layer == layer) return stack + ".moe." + std::to_string(block);
    }
    return std::string();
  };
  const std::string encoder = search(geometry.encoder, "encoder");
  return encoder.empty() ? search(geometry.decoder, "decoder") : encoder;
}

void expect_routing(const Trunk& trunk, const Recorder& seen, const std::vector<LayerRouting>& routing,
                    const std::string& prefix) {
  for (const LayerRouting& layer : routing) {
    const std::string name = prefix + moe_name(trunk.model, layer.layer);
    const auto expected = trunk.golden.ids(name + ".expert_ids");
    const auto kept = trunk.golden.values<std::uint8_t>(name + ".kept");
    const auto probabilities = trunk.golden.values<float>(name + ".probabilities");
    if (!trunk.model.config().hash_routing) {  // Which has no gate to look at.
      EXPECT_LT(largest_difference(seen.probabilities.at(layer.layer.value), probabilities), kHiddenTolerance) << name;
    }
    ASSERT_EQ(layer.gate.size(), expected.size()) << name;
    const std::size_t experts = probabilities.size() / expected.size();
    for (std::size_t row = 0; row < expected.size(); ++row) {
      if (top_two_gap(std::span(probabilities).subspan(row * experts, experts)) < kProbabilityTie) continue;
      EXPECT_EQ(layer.gate[row], expected[row]) << name << " row " << row;
      EXPECT_EQ(layer.served[row] >= 0, kept[row] != 0) << name << " row " << row;
    }
  }
}

TEST_P(TrunkGolden, MatchesHuggingFaceInFp32) {
  Trunk trunk(GetParam(), DType::kFloat32);
  ASSERT_TRUE(trunk.has(0));
  for (int index = 0; trunk.has(index); ++index) {
    const std::string prefix = "seq" + std::to_string(index) + ".";
    Recorder seen;
    ForwardContext context{trunk.weights, *trunk.backend, trunk.experts, StepId{1}, TimePoint::max(), &seen};
    SequenceState state = trunk.sequence(index);
    std::vector<SequenceState*> states{&state};
    const auto encoded = trunk.run(encode(context, states));
    const auto decoded = trunk.run(decode(context, states));

    for (const auto& [name, values] : seen.values) {
      const auto expected = trunk.golden.values<float>(prefix + name);
      EXPECT_LT(largest_difference(values, expected), kHiddenTolerance * std::max(1.0, largest_magnitude(expected)))
          << prefix << name;
    }
    expect_routing(trunk, seen, encoded.routing, prefix);
    expect_routing(trunk, seen, decoded.routing, prefix);

    const at::Tensor scores = logits(context, decoded.hidden, 0, decoded.hidden.size(0));
    const std::span<const float> all(rows_of(scores).f32(), static_cast<std::size_t>(scores.numel()));
    const auto vocab = static_cast<std::size_t>(scores.size(1));
    EXPECT_LT(largest_difference(all, trunk.golden.values<float>(prefix + "logits")), 2 * kLogprobTolerance) << prefix;
    const auto target = trunk.golden.ids(prefix + "target_ids");
    std::vector<float> logprobs;
    for (std::size_t row = 0; row < target.size(); ++row) {
      const auto row_scores = all.subspan(row * vocab, vocab);
      logprobs.push_back(static_cast<float>(static_cast<double>(row_scores[static_cast<std::size_t>(target[row])]) -
                                            log_sum_exp(row_scores)));
    }
    EXPECT_LT(largest_difference(logprobs, trunk.golden.values<float>(prefix + "logprobs")), kLogprobTolerance);
  }
}

// Generates one sequence greedily through the step runner and returns its outcomes.
std::vector<SequenceOutcome> generate(Trunk& trunk, std::vector<std::int32_t> source, std::int32_t max_new_tokens) {
  StepRunner runner(trunk.weights, *trunk.backend, trunk.experts);
  std::vector<SequenceOutcome> outcomes;
  TrunkStep step{.id = StepId{1}, .release = {}, .encode = {}, .decode = {}};
  step.encode.push_back({.id = SequenceId{1}, .source = std::move(source), .sampling = {}, .target = {}});
  step.encode.front().sampling.max_new_tokens = max_new_tokens;
  bool finished = false;
  while (!finished) {
    runner.start(std::move(step));
    trunk.experts.run_all();
    auto done = runner.take_done();
    if (!done || done->outcomes.size() != 1) throw std::runtime_error("the step did not end");
    finished = done->outcomes.front().finished;
    outcomes.push_back(std::move(done->outcomes.front()));
    step = {.id = StepId{outcomes.size() + 1}, .release = {}, .encode = {}, .decode = {SequenceId{1}}};
  }
  return outcomes;
}

TEST_P(TrunkGolden, GeneratesWhatHuggingFaceGenerates) {
  Trunk trunk(GetParam(), DType::kFloat32);
  for (int index = 0; trunk.has(index); ++index) {
    const std::string prefix = "seq" + std::to_string(index) + ".";
    const auto expected = trunk.golden.ids(prefix + "greedy_ids");
    const auto margin = trunk.golden.values<float>(prefix + "greedy_margin");
    const auto outcomes = generate(trunk, trunk.sequence(index).source, 24);
    std::size_t token = 0;
    for (const SequenceOutcome& outcome : outcomes) {
      if (!outcome.token || token >= expected.size()) continue;
      if (static_cast<double>(margin[token]) < kMargin) break;
      EXPECT_EQ(outcome.token->token, expected[token]) << prefix << " token " << token;
      for (const LayerRouting& layer : outcome.routing) {
        const auto ids = trunk.golden.ids(prefix + "greedy." + moe_name(trunk.model, layer.layer) + ".expert_ids");
        EXPECT_EQ(layer.gate.front(), ids[token]) << prefix << " token " << token;
      }
      ++token;
    }
    EXPECT_TRUE(token == expected.size() || static_cast<double>(margin[token]) < kMargin) << prefix;
  }
}

// In this case experts 4 to 7 equal experts 0 to 3 but for one bit of their gate, so either of a pair is right.
constexpr const char* kTwinsCase = "bf16_pickle";

// Rows before the first that another expert serves than in Hugging Face's bf16 run. Later rows of a causal stack see
// the difference, and in the encoder all rows do: there a flip ends the comparison. Rounding decides such near-ties by
// chance, and one flip is larger than all rounding errors together.
std::size_t rows_with_equal_routes(const Trunk& trunk, const std::vector<LayerRouting>& routing,
                                   const std::string& prefix, std::int32_t twins) {
  std::size_t equal = routing.empty() ? std::numeric_limits<std::size_t>::max() : routing.front().gate.size();
  for (const LayerRouting& layer : routing) {
    const auto theirs = trunk.golden.ids(prefix + "bf16." + moe_name(trunk.model, layer.layer) + ".expert_ids");
    for (std::size_t row = 0; row < equal; ++row) {
      if (layer.gate[row] % twins != theirs[row] % twins) equal = row;
    }
  }
  return equal;
}

// Largest errors against Hugging Face's fp32, of this run and of its own bf16.
struct Errors {
  double ours = 0;
  double theirs = 0;
  std::size_t rows = 0;

  void add(std::span<const float> mine, std::span<const float> bf16, std::span<const float> exact,
           std::size_t row_count) {
    ours = std::max(ours, largest_difference(mine, exact));
    theirs = std::max(theirs, largest_difference(bf16, exact));
    rows += row_count;
  }
};

class Bf16Golden : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Cases, Bf16Golden, ::testing::ValuesIn(bf16_case_names()),
                         [](const auto& tested) { return tested.param; });

TEST_P(Bf16Golden, ErrsNoMoreThanHuggingFaceDoes) {
  Trunk trunk(GetParam(), DType::kBFloat16);
  const auto twins = static_cast<std::int32_t>(GetParam() == kTwinsCase ? trunk.model.config().num_experts / 2
                                                                        : trunk.model.config().num_experts);
  Errors scores_error;
  Errors encoder_error;
  std::size_t all_rows = 0;
  for (int index = 0; trunk.has(index); ++index) {
    const std::string prefix = "seq" + std::to_string(index) + ".";
    Recorder seen;
    ForwardContext context{trunk.weights, *trunk.backend, trunk.experts, StepId{1}, TimePoint::max(), &seen};
    SequenceState state = trunk.sequence(index);
    std::vector<SequenceState*> states{&state};
    const auto encoded = trunk.run(encode(context, states));
    const auto decoded = trunk.run(decode(context, states));
    all_rows += state.decoder_tokens.size();
    if (rows_with_equal_routes(trunk, encoded.routing, prefix, twins) < state.source.size()) continue;
    const auto exact_encoder = trunk.golden.values<float>(prefix + "encoder.output");
    encoder_error.add(seen.values.at("encoder.output"), trunk.golden.values<float>(prefix + "bf16.encoder.output"),
                      exact_encoder, state.source.size());
    const std::size_t rows =
        std::min(state.decoder_tokens.size(), rows_with_equal_routes(trunk, decoded.routing, prefix, twins));
    if (rows == 0) continue;
    const at::Tensor scores = logits(context, decoded.hidden, 0, static_cast<std::int64_t>(rows));
    const auto size = static_cast<std::size_t>(scores.numel());
    const auto exact = trunk.golden.values<float>(prefix + "logits");
    const auto theirs = trunk.golden.values<float>(prefix + "bf16.logits");
    scores_error.add({rows_of(scores).f32(), size}, {theirs.data(), size}, {exact.data(), size}, rows);
  }
  std::printf(
      "bf16 error against fp32: logits %.4f (Hugging Face %.4f), encoder %.4f (%.4f), %zu of %zu decoder rows\n",
      scores_error.ours, scores_error.theirs, encoder_error.ours, encoder_error.theirs, scores_error.rows, all_rows);
  EXPECT_GT(3 * scores_error.rows, all_rows) << "too few rows are comparable";
  EXPECT_LE(scores_error.ours, 1.25 * scores_error.theirs);
  EXPECT_LE(encoder_error.ours, 1.25 * encoder_error.theirs);
}

}  // namespace
}  // namespace sida::router
