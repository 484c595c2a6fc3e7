// `sida make-model`: random weights with a known geometry.
#include "common/model/make_model.h"

#include <unistd.h>

#include <cstdio>
#include <optional>

#include "cli/verbs.h"
#include "common/config/configure.h"

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
};

config::Schema describe(MakeModelArguments& a) {
  config::Schema schema(
      "sida make-model",
      "Writes a model of random weights in Hugging Face's format: for measurements where the released\n"
      "weights cannot be had. Its output means nothing.");
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
  schema.example("sida make-model /tmp/switch-base-64 --like switch-base-64 --dtype bf16");
  return schema;
}

std::optional<std::int64_t> given(std::int64_t value) {
  return value == 0 ? std::nullopt : std::optional(value);
}

// A line that is written over on a terminal; nothing elsewhere.
bool show_progress(std::uint64_t bytes_done, std::uint64_t bytes_total) {
  if (::isatty(STDERR_FILENO) != 0 && bytes_total > 0) {
    std::fprintf(stderr, "\r%3d %% of %.2f GB", static_cast<int>(100 * bytes_done / bytes_total),
                 static_cast<double>(bytes_total) / 1e9);
    if (bytes_done == bytes_total) {
      std::fputc('\n', stderr);
    }
  }
  return true;
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
  model::MakeModelOptions options;
  options.seed = static_cast<std::uint64_t>(a.seed);
  options.format = a.format == "bin" ? model::WeightFormat::kTorchCheckpoint : model::WeightFormat::kSafetensors;
  SIDA_TRY(model::make_model(a.destination, *blueprint, options, show_progress));
  std::printf("%s: %.2f GB of weights like %s\n", a.destination.c_str(),
              static_cast<double>(model::weight_bytes(*blueprint)) / 1e9, a.like.c_str());
  return {};
}

}  // namespace

int make_model(const Arguments& arguments) {
  MakeModelArguments parsed;
  config::Schema schema = describe(parsed);
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  const auto done = run(parsed);
  return done ? 0 : report(done.error());
}

}  // namespace sida::cli
