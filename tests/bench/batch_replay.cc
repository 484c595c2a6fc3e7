// How many bytes of experts an encoded source costs by how batches are composed: the router's own scheduler, fed with a
// recorded trace in virtual time, as if so many sources were always waiting.
//   cmake --preset release -DSIDA_BENCH=ON && cmake --build build/release --target batch_replay
//   build/release/bench/batch_replay --trace held-out.trace --model MODEL --predictor MODEL/predictor
// Whom the scheduler puts together follows from what the trace recorded ("by trace", as a predictor without errors) or
// from what the hash function predicts ("by predictor"); what is counted are always the experts that served the tokens,
// each once per step and MoE layer.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/config/configure.h"
#include "common/model/model_directory.h"
#include "common/trace/trace_reader.h"
#include "predictor/hash/predictor_directory.h"
#include "router/scheduling/scheduler_core.h"

namespace sida::router {
namespace {

using std::chrono::milliseconds;

struct Options {
  std::string trace;
  std::string model;
  std::string predictor;
  std::int64_t waiting = 40;
  std::int64_t batch = 8;
  std::int64_t sequences = 2000;
  std::int64_t seed = 1;
  milliseconds step{20};
  milliseconds overtake_max{500};
};

config::Schema describe(Options& o) {
  config::Schema schema("batch_replay", "Bytes of experts per encoded source, by how batches are composed.");
  schema.text("trace", o.trace, "what sida trace recorded").placeholder("TRACE").required();
  schema.text("model", o.model, "the trace's model: for bytes, and for --predictor").placeholder("DIR");
  schema.text("predictor", o.predictor, "also compose by what this predictor directory predicts").placeholder("DIR");
  schema.integer("waiting", o.waiting, {1, 100'000}, "sources that always wait");
  schema.integer("batch", o.batch, {1, 100'000}, "sources of a step");
  schema.integer("sequences", o.sequences, {1, INT64_MAX}, "sequences of each task to replay at most");
  schema.integer("seed", o.seed, {0, INT64_MAX}, "of the order in which they come");
  schema.duration("step", o.step, "virtual time of a step");
  schema.duration("overtake-max", o.overtake_max, "as of sida-router");
  schema.example("batch_replay --trace build/held-out.trace --model models/demo --predictor models/demo/predictor");
  schema.rule([&o](std::vector<std::string>& problems) {
    if (!o.predictor.empty() && o.model.empty()) problems.emplace_back("--predictor needs --model");
  });
  return schema;
}

struct Replayed {
  std::vector<std::int32_t> source;
  ExpertSet used;       // As served.
  ExpertSet predicted;  // Empty without a predictor.
};
using Texts = std::map<std::string, std::vector<Replayed>>;  // By task.

Replayed replayed(const trace::TraceHeader& header, const trace::TracedSequence& sequence) {
  const auto num_experts = static_cast<std::size_t>(header.num_experts);
  ExpertSet used(sequence.encoder.size() * num_experts);
  for (std::size_t layer = 0; layer < sequence.encoder.size(); ++layer) {
    for (const std::int16_t expert : sequence.encoder[layer].served) {
      if (expert >= 0) used.add(layer * num_experts + static_cast<std::size_t>(expert));
    }
  }
  return {sequence.source, used, ExpertSet(sequence.encoder.size() * num_experts)};
}

void predict(predictor::HashFunction& function, std::size_t num_experts, Replayed& text) {
  const std::vector<predictor::Source> sources{{text.source, 1}};
  const predictor::Predictions predicted = function.begin(sources).front().predictions;
  for (std::size_t index = 0; index < predicted.experts.size(); ++index) {
    if (predicted.experts[index] < 0) continue;
    text.predicted.add(index / predicted.tokens * num_experts + static_cast<std::size_t>(predicted.experts[index]));
  }
}

struct Outcome {
  double experts_per_source = 0;
  double wait_mean_ms = 0;
  double wait_max_ms = 0;
};

struct Order {
  std::size_t waiting = 0;
  std::size_t batch = 0;
  Duration overtake_max{0};
  bool by_predictor = false;
};

double to_ms(Duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

Outcome replay(const std::vector<Replayed>& texts, const Order& order, milliseconds step) {
  constexpr std::int64_t kNoLimit = std::int64_t{1} << 40U;
  SchedulerCore core({.waiting_max = 2 * order.waiting,  // It keeps some room for other clients.
                      .waiting_tokens_max = kNoLimit,
                      .running_max = order.batch,
                      .cache_tokens_max = kNoLimit,
                      .rows_max = kNoLimit,
                      .sources_max = order.batch,
                      .overtake_max = order.overtake_max});
  std::vector<TimePoint> arrived;
  std::size_t experts = 0;
  Outcome outcome;
  TimePoint now{};
  while (true) {
    while (arrived.size() < texts.size() && core.waiting() < order.waiting) {
      const SequenceId id{arrived.size()};
      const Replayed& text = texts[id.value];
      SIDA_CHECK(core.submit({id, static_cast<std::int64_t>(text.source.size())}, now));
      core.predicted(id, order.by_predictor ? text.predicted : text.used);
      arrived.push_back(now);
    }
    const auto plan = core.next_step(now);
    if (!plan) break;
    ExpertSet together;
    for (const SequenceId id : plan->encode) {
      together.add(texts[id.value].used);
      outcome.wait_mean_ms += to_ms(now - arrived[id.value]) / static_cast<double>(texts.size());
      outcome.wait_max_ms = std::max(outcome.wait_max_ms, to_ms(now - arrived[id.value]));
    }
    experts += together.size();
    now += step;
    core.step_done(plan->step, plan->encode, now);
  }
  outcome.experts_per_source = static_cast<double>(experts) / static_cast<double>(texts.size());
  return outcome;
}

Result<Texts> read(const Options& options, const model::ModelDirectory* model, trace::TraceHeader& header) {
  auto reader = trace::TraceReader::open(options.trace);
  if (!reader) return tl::unexpected(std::move(reader).error());
  header = reader->header();
  std::unique_ptr<predictor::HashFunction> function;
  if (!options.predictor.empty()) {
    auto opened = predictor::open_hash_function(options.predictor, predictor::served_model(*model));
    if (!opened) return tl::unexpected(std::move(opened).error());
    function = std::move(*opened);
  }
  Texts texts;
  while (true) {
    auto sequence = reader->next();
    if (!sequence) return tl::unexpected(std::move(sequence).error());
    if (!*sequence) break;
    auto& of_task = texts[(*sequence)->task];
    if (of_task.size() >= static_cast<std::size_t>(options.sequences)) continue;
    of_task.push_back(replayed(header, **sequence));
    if (function) predict(*function, static_cast<std::size_t>(header.num_experts), of_task.back());
  }
  std::vector<Replayed> all;
  for (const auto& [task, of_task] : texts) all.insert(all.end(), of_task.begin(), of_task.end());
  if (texts.size() > 1) texts["all of them, mixed"] = std::move(all);
  return texts;
}

void print(const std::string& task, std::vector<Replayed> texts, const Options& o, double expert_megabytes) {
  std::mt19937_64 random(static_cast<std::uint64_t>(o.seed));
  std::shuffle(texts.begin(), texts.end(), random);
  const auto waiting = static_cast<std::size_t>(o.waiting);
  const auto batch = static_cast<std::size_t>(o.batch);
  std::vector<std::pair<std::string, Order>> orders{
      {"one by one", {1, 1}},
      {"first come, " + std::to_string(batch), {waiting, batch}},
      {"overlap by trace, " + std::to_string(batch), {waiting, batch, o.overtake_max}}};
  if (!o.predictor.empty()) {
    orders.push_back({"overlap by predictor, " + std::to_string(batch), {waiting, batch, o.overtake_max, true}});
  }
  orders.push_back({"all " + std::to_string(waiting) + " that wait", {waiting, waiting}});
  double one_by_one = 0;
  double first_come = 0;
  for (const auto& [name, order] : orders) {
    const Outcome outcome = replay(texts, order, o.step);
    if (order.waiting == 1) one_by_one = outcome.experts_per_source;
    if (order.batch == batch && first_come == 0) first_come = outcome.experts_per_source;
    std::printf("| %s | %s | %.2f | %.2f | %.1f | %.1f %% | %.0f, %.0f |\n", task.c_str(), name.c_str(),
                outcome.experts_per_source, outcome.experts_per_source * expert_megabytes,
                one_by_one / outcome.experts_per_source,
                first_come == 0 ? 0 : 100 * (1 - outcome.experts_per_source / first_come), outcome.wait_mean_ms,
                outcome.wait_max_ms);
  }
}

Result<void> run(const Options& options) {
  std::optional<model::ModelDirectory> model;
  if (!options.model.empty()) {
    auto opened = model::ModelDirectory::open(options.model);
    if (!opened) return tl::unexpected(std::move(opened).error());
    model.emplace(std::move(*opened));
  }
  trace::TraceHeader header;
  auto texts = read(options, model ? &*model : nullptr, header);
  if (!texts) return tl::unexpected(std::move(texts).error());
  const double expert_bytes = model ? 2.0 * static_cast<double>(model->config().d_model * model->config().d_ff) *
                                          static_cast<double>(bytes_per_element(model->config().dtype))
                                    : 0;
  std::printf(
      "%d experts in each of %d encoder layers, %.2f MB each; a step takes %lld ms, overtaking at most %lld ms\n\n",
      header.num_experts, header.encoder_layers, expert_bytes / 1e6, static_cast<long long>(options.step.count()),
      static_cast<long long>(options.overtake_max.count()));
  std::printf(
      "| texts | batches | experts per source | MB | times fewer than one by one | fewer than first come | "
      "waited, ms: mean, most |\n| --- | --- | --: | --: | --: | --: | --: |\n");
  for (const auto& [task, of_task] : *texts) print(task, of_task, options, expert_bytes / 1e6);
  return {};
}

}  // namespace
}  // namespace sida::router

int main(int argc, char** argv) {
  sida::router::Options options;
  auto schema = sida::router::describe(options);
  if (const auto exit_code = sida::config::configure(schema, argc, argv)) return *exit_code;
  const auto done = sida::router::run(options);
  if (!done) std::fprintf(stderr, "error: %s\n", done.error().message.c_str());
  return done ? 0 : sida::exit_code(done.error().code);
}
