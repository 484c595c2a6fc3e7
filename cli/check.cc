// `sida check`: looks a model directory and its predictor over without starting anything.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/generate_output.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "common/config/configure.h"
#include "common/model/model_directory.h"
#include "common/store/store_file.h"
#include "common/tokenizer/tokenizer.h"
#include "predictor/hash/predictor_directory.h"

namespace sida::cli {
namespace {

// "none", a directory, or nothing given: the model's own, if it has one.
Result<nlohmann::json> look_predictor_over(const model::ModelDirectory& model, const std::string& option) {
  const std::filesystem::path own = model.path() / "predictor";
  if (option == "none" || (option.empty() && !std::filesystem::exists(own))) {
    return nlohmann::json();
  }
  const auto opened = predictor::open_hash_function(option.empty() ? own : std::filesystem::path(option),
                                                    predictor::served_model(model));
  if (!opened) {
    return fail(ErrorCode::kInvalidModel, opened.error().message);
  }
  return nlohmann::json((*opened)->info().kind);
}

// Every block against its checksum.
Result<void> compare_blocks(const store::StoreFile& file, const model::StoreGeometry& geometry) {
  const std::unique_ptr<std::byte, decltype(&std::free)> memory(
      static_cast<std::byte*>(std::aligned_alloc(model::kStoreAlignment, geometry.stride_bytes())), &std::free);
  if (memory == nullptr) {
    return fail(ErrorCode::kIo, "no memory for a block");
  }
  Progress progress("check");
  for (std::uint64_t index = 0; index < geometry.experts(); ++index) {
    store::BlockRead read;
    Result<bool> whole = false;
    while (whole && !*whole) {
      whole = file.read_next(geometry.key(index), read, {memory.get(), geometry.stride_bytes()});
    }
    if (!whole) {
      return tl::unexpected<Error>(whole.error());
    }
    progress.show_bytes((index + 1) * geometry.stride_bytes(), geometry.data_bytes());
  }
  return {};
}

// Null for what was not measured.
nlohmann::json rate(std::optional<double> bytes_per_second) {
  return bytes_per_second ? nlohmann::json(*bytes_per_second / 1e9) : nlohmann::json();
}

// How the experts are stored; null for a directory as Hugging Face writes it.
Result<nlohmann::json> look_store_over(const model::ModelDirectory& model, bool blocks) {
  if (model.store() == nullptr) {
    return nlohmann::json();
  }
  const model::StoreManifest& manifest = *model.store();
  const auto tokenizer = tokenizer::fingerprint(model.path());
  if (!tokenizer) {
    return tl::unexpected<Error>(tokenizer.error());
  }
  if (*tokenizer != manifest.tokenizer) {
    return fail(ErrorCode::kInvalidModel,
                model.path().string() + ": the tokenizer is not the one that the store was made with; make the store " +
                    "again with 'sida convert'");
  }
  const auto file = store::StoreFile::open(model);
  if (!file) {
    return tl::unexpected<Error>(file.error());
  }
  if (blocks) {
    SIDA_TRY(compare_blocks(*file, manifest.geometry));
  }
  return nlohmann::json{{"dtype", name(manifest.geometry.dtype)},
                        {"blocks", manifest.geometry.experts()},
                        {"block_bytes", manifest.geometry.block_bytes()},
                        {"data_bytes", manifest.geometry.data_bytes()},
                        {"reads", store::name(file->method())},
                        {"direct_gb_per_s", rate(file->rates().direct)},
                        {"buffered_gb_per_s", rate(file->rates().buffered)},
                        {"blocks_compared", blocks}};
}

Result<nlohmann::json> look_over(const std::string& directory, const std::string& predictor, bool blocks) {
  const auto opened = model::ModelDirectory::open(directory);
  if (!opened) {
    // A directory that is not there is as good as an invalid one: exit code 3.
    return fail(ErrorCode::kInvalidModel, opened.error().message);
  }
  const auto& config = opened->config();
  const auto& geometry = opened->geometry();
  const auto tokenizer = tokenizer::load_tokenizer(directory);
  if (!tokenizer && tokenizer.error().code != ErrorCode::kNotFound) {
    return tl::unexpected<Error>(tokenizer.error());
  }
  const auto hash_function = look_predictor_over(*opened, predictor);
  if (!hash_function) {
    return tl::unexpected<Error>(hash_function.error());
  }
  const auto store = look_store_over(*opened, blocks);
  if (!store) {
    return tl::unexpected<Error>(store.error());
  }
  return nlohmann::json{{"model", directory},
                        {"store", *store},
                        {"predictor", *hash_function},
                        {"fingerprint", model::to_hex(opened->fingerprint())},
                        {"dtype", name(config.dtype)},
                        {"d_model", config.d_model},
                        {"d_ff", config.d_ff},
                        {"encoder_blocks", geometry.encoder.size()},
                        {"decoder_blocks", geometry.decoder.size()},
                        {"encoder_moe_layers", geometry.encoder_moe_layers},
                        {"decoder_moe_layers", geometry.decoder_moe_layers},
                        {"experts_per_layer", config.num_experts},
                        {"expert_capacity", config.expert_capacity},
                        {"vocab_size", config.vocab_size},
                        {"tokenizer", tokenizer ? nlohmann::json((*tokenizer)->vocab_size()) : nlohmann::json()},
                        {"warnings", opened->warnings()}};
}

void print_text(const nlohmann::json& found) {
  for (const auto& [key, value] : found.items()) {
    if (key != "warnings") {
      std::printf("%-20s %s\n", key.c_str(),
                  value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
    }
  }
  for (const auto& warning : found["warnings"]) {
    std::printf("warning: %s\n", warning.get<std::string>().c_str());
  }
  std::printf("ok\n");
}

}  // namespace

int check(const Arguments& arguments) {
  if (!arguments.empty() && std::ranges::none_of(arguments, [](const auto& word) { return word.starts_with("-"); })) {
    return check_deployments(arguments);
  }
  std::string model;
  std::string predictor;
  bool blocks = false;
  bool json = false;
  config::Schema schema(
      "sida check",
      "Reads and checks a model directory, its tokenizer and its predictor, without starting anything.\n"
      "Exit code 3 when something is invalid.\n\n"
      "sida check DIR... instead looks over the configurations of deployments: in each folder router….yaml,\n"
      "predictor….yaml, worker….yaml and serve.yaml, alone and against each other. Exit code 2 when something is "
      "wrong.");
  schema.text("model", model, "model directory").placeholder("DIR").required();
  schema.text("predictor", predictor, "predictor directory, or none; default: the model's own, if it has one")
      .placeholder("DIR");
  schema.toggle("blocks", blocks, "also compare every block of an expert store with its checksum");
  schema.toggle("json", json, "print one JSON object");
  schema.example("sida check --model models/demo");
  schema.example("sida check deploy/examples/one-box");
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  const auto found = look_over(model, predictor, blocks);
  if (!found) {
    return report(found.error());
  }
  if (json) {
    std::printf("%s\n", print_json(*found).c_str());
  } else {
    print_text(*found);
  }
  return 0;
}

}  // namespace sida::cli
