// `sida make-model`: random weights with a known geometry.
#include "common/model/make_model.h"

#include <cstdio>
#include <optional>

#include "cli/progress.h"
#include "cli/verbs.h"
#include "common/config/configure.h"
#include "common/runtime/shutdown_signal.h"
#include "common/store/random_source.h"
#include "common/store/write_store.h"

namespace sida::cli {
namespace {

struct MakeModelArguments {
  std::string destination;
  std::string like = "switch-base-8";
  std::int64_t experts = 0;
  std::int64_t layers = 0;
  std::string dtype = "bf16";
  std::int64_t seed = 0;
  std::string format = "safetensors";
  std::string routing = "gate";
  bool store = false;
};

config::Schema describe(MakeModelArguments& a) {
  config::Schema schema(
      "sida make-model",
      "Writes a model of random weights in Hugging Face's format, or an expert store of the same weights: for\n"
      "measurements where the released weights cannot be had. Its output means nothing.");
  schema.text("dst", a.destination, "directory to make").placeholder("DST").positional().required();
  std::vector<std::string> names;
  for (const std::string_view name : model::released_model_names()) {
    names.emplace_back(name);
  }
  schema.choice("like", a.like, std::move(names), "geometry");
  schema.integer("experts", a.experts, {1, 65536}, "experts per MoE layer").zero_means("as the model named");
  schema.integer("layers", a.layers, {1, 1024}, "layers of each stack").zero_means("as the model named");
  schema.choice("dtype", a.dtype, {"bf16", "fp16", "fp32"}, "of the stored weights");
  schema.integer("seed", a.seed, {0, INT64_MAX}, "equal seeds give equal weights");
  schema.choice("routing", a.routing, {"gate", "hash"},
                "who chooses experts: a gate, or a table by token id (Hash Layers)");
  schema.choice("format", a.format, {"safetensors", "bin"}, "of the weight files");
  schema.toggle("store", a.store, "write what 'sida convert' would make of it");
  schema.rule([&a](std::vector<std::string>& problems) {
    if (a.store && a.format != "safetensors")
      problems.emplace_back("--store has a format of its own: leave --format out");
  });
  schema.example("sida make-model /tmp/switch-base-64 --like switch-base-64 --dtype bf16");
  schema.example("sida make-model /tmp/switch-base-256 --like switch-base-256 --store");
  return schema;
}

std::optional<std::int64_t> given(std::int64_t value) {
  return value == 0 ? std::nullopt : std::optional(value);
}

Result<void> write_model_like(const MakeModelArguments& a, const model::Blueprint& blueprint,
                              const model::MakeModelProgress& progress) {
  model::MakeModelOptions options;
  options.seed = static_cast<std::uint64_t>(a.seed);
  options.format = a.format == "bin" ? model::WeightFormat::kTorchCheckpoint : model::WeightFormat::kSafetensors;
  return model::make_model(a.destination, blueprint, options, progress);
}

Result<void> write_store_like(const MakeModelArguments& a, const model::Blueprint& blueprint,
                              const store::StoreProgress& progress) {
  store::RandomSource source(blueprint, static_cast<std::uint64_t>(a.seed));
  return store::write_store(a.destination, source, store::packing_threads(), progress);
}

Result<void> run(const MakeModelArguments& a) {
  auto blueprint = model::blueprint_like(a.like, given(a.experts), given(a.layers));
  if (!blueprint) {
    return tl::unexpected<Error>(std::move(blueprint).error());
  }
  blueprint->config.dtype = a.dtype == "bf16"   ? DType::kBFloat16
                            : a.dtype == "fp16" ? DType::kFloat16
                                                : DType::kFloat32;
  blueprint->config.hash_routing = a.routing == "hash";
  Progress progress("make-model");
  const auto show = [&progress](std::uint64_t done, std::uint64_t total) {
    progress.show_bytes(done, total);
    return !poll_shutdown_signal();
  };
  SIDA_TRY(a.store ? write_store_like(a, *blueprint, show) : write_model_like(a, *blueprint, show));
  std::printf("%s: %.2f GB of weights like %s, in %s\n", a.destination.c_str(),
              static_cast<double>(model::weight_bytes(*blueprint)) / 1e9, a.like.c_str(),
              short_duration(progress.elapsed()).c_str());
  return {};
}

}  // namespace

int make_model(const Arguments& arguments) {
  MakeModelArguments parsed;
  config::Schema schema = describe(parsed);
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  block_shutdown_signals();
  const auto done = run(parsed);
  return done ? 0 : report(done.error());
}

}  // namespace sida::cli
