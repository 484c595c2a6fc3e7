// `sida convert`: an expert store from a model directory, or the same model as safetensors.
#include <cstdio>
#include <string>

#include "cli/progress.h"
#include "cli/verbs.h"
#include "common/config/configure.h"
#include "common/model/compute_dtype.h"
#include "common/model/model_directory.h"
#include "common/runtime/shutdown_signal.h"
#include "common/store/directory_source.h"
#include "common/store/write_safetensors.h"
#include "common/store/write_store.h"
#include "common/tokenizer/tokenizer.h"

namespace sida::cli {
namespace {

struct ConvertArguments {
  std::string source;
  std::string destination;
  std::string dtype = "auto";
  std::string format = "store";
};

config::Schema describe(ConvertArguments& a) {
  config::Schema schema(
      "sida convert",
      "Writes a model directory whose experts are read faster: one block per expert, as the kernels want it, with a\n"
      "checksum. The model stays the same model. An interrupted run goes on when it is started again.\n"
      "With --format safetensors, writes the model as Hugging Face would, in the type asked for.");
  schema.text("src", a.source, "model directory, as Hugging Face writes it").placeholder("SRC").positional().required();
  schema.text("dst", a.destination, "directory to make").placeholder("DST").positional().required();
  schema.choice("dtype", a.dtype, {"auto", "bf16", "fp32"},
                "of the experts, of all tensors in safetensors; auto is the checkpoint's, fp16 as fp32");
  schema.choice("format", a.format, {"store", "safetensors"}, "of what is written");
  schema.example("sida convert models/demo /tmp/demo-store");
  schema.example("sida convert models/demo /tmp/demo-fp32 --format safetensors --dtype fp32");
  return schema;
}

Result<void> to_store(const ConvertArguments& a, model::ModelDirectory model, DType dtype, Progress& progress,
                      const store::StoreProgress& show) {
  const auto tokenizer = tokenizer::fingerprint(a.source);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  auto source = store::DirectorySource::make(std::move(model), dtype, *tokenizer);
  if (!source) return tl::unexpected(std::move(source).error());
  SIDA_TRY(store::write_store(a.destination, *source, store::packing_threads(), show));
  const store::StoreContents& contents = source->contents();
  std::printf("%s: %llu experts in %s, %.2f GB, in %s\n", a.destination.c_str(),
              static_cast<unsigned long long>(contents.geometry.experts()),
              std::string(name(contents.geometry.dtype)).c_str(),
              static_cast<double>(store::store_bytes(contents)) / 1e9, short_duration(progress.elapsed()).c_str());
  return {};
}

Result<void> to_safetensors(const ConvertArguments& a, const model::ModelDirectory& model, DType dtype,
                            Progress& progress, const store::StoreProgress& show) {
  SIDA_TRY(store::write_safetensors(a.destination, model, {.dtype = dtype}, show));
  std::printf("%s: safetensors in %s, in %s\n", a.destination.c_str(), std::string(name(dtype)).c_str(),
              short_duration(progress.elapsed()).c_str());
  return {};
}

Result<void> run(const ConvertArguments& a) {
  auto model = model::ModelDirectory::open(a.source);
  if (!model) return tl::unexpected(std::move(model).error());
  const auto dtype = model::compute_dtype(a.dtype, model->config().dtype);
  if (!dtype) return tl::unexpected(dtype.error());
  for (const std::string& warning : model->warnings()) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  Progress progress("convert");
  const auto show = [&progress](std::uint64_t done, std::uint64_t total) {
    progress.show_bytes(done, total);
    return !poll_shutdown_signal();
  };
  if (a.format == "store") return to_store(a, *std::move(model), *dtype, progress, show);
  return to_safetensors(a, *model, *dtype, progress, show);
}

}  // namespace

int convert(const Arguments& arguments) {
  ConvertArguments parsed;
  config::Schema schema = describe(parsed);
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  block_shutdown_signals();
  const auto done = run(parsed);
  return done ? 0 : report(done.error());
}

}  // namespace sida::cli
