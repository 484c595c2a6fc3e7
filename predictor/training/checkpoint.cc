#include "predictor/training/checkpoint.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "common/model/output_file.h"
#include "common/model/read_only_file.h"
#include "predictor/training/tensor_file.h"

namespace sida::predictor {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t kStateBytesMax = 1U << 20U;

std::string file_of(std::int64_t steps) {
  return "weights-" + std::to_string(steps) + ".safetensors";
}

// All weights of a checkpoint but the file of this name.
void remove_weights(const fs::path& directory, const std::string& kept) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("weights-") && name != kept) fs::remove(entry.path(), ignored);
  }
}

// Written beside it and renamed.
Result<void> replace_text(const fs::path& path, const std::string& text) {
  const fs::path partial = path.string() + ".partial";
  std::error_code failed;
  fs::remove(partial, failed);
  auto file = model::OutputFile::create(partial);
  if (!file) return tl::unexpected(std::move(file).error());
  SIDA_TRY(file->append(text));
  SIDA_TRY(file->finish());
  fs::rename(partial, path, failed);
  if (failed) return fail(ErrorCode::kIo, path.string() + ": " + failed.message());
  return {};
}

}  // namespace

Result<void> Checkpoint::save(const Progress& p, const std::map<std::string, at::Tensor>& tensors) {
  std::error_code failed;
  fs::create_directories(directory_, failed);
  if (failed) return fail(ErrorCode::kIo, directory_.string() + ": " + failed.message());
  SIDA_TRY(write_tensors(directory_ / file_of(p.steps), tensors));
  auto hash = hash_of_weights(directory_ / file_of(p.steps));
  if (!hash) return tl::unexpected(std::move(hash).error());
  const json state{{"purpose", purpose_},      {"epoch", p.epoch},   {"batch", p.batch},
                   {"steps", p.steps},         {"tokens", p.tokens}, {"seconds", p.seconds},
                   {"best_loss", p.best_loss}, {"stale", p.stale},   {"weights_blake2b", *hash}};
  SIDA_TRY(replace_text(state_path(), state.dump(2) + "\n"));
  remove_weights(directory_, file_of(p.steps));
  return {};
}

Result<std::optional<Progress>> Checkpoint::load(std::map<std::string, at::Tensor>& tensors) {
  if (!fs::exists(state_path())) return std::nullopt;
  auto text = model::read_text_file(state_path(), kStateBytesMax);
  if (!text) return tl::unexpected(std::move(text).error());
  const json state = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const std::string damaged = state_path().string() + ": not a checkpoint: delete the folder to begin anew";
  if (!state.is_object()) return fail(ErrorCode::kInvalidModel, damaged);
  Progress p;
  try {
    if (state.at("purpose").get<std::string>() != purpose_) {
      return fail(ErrorCode::kMismatch, state_path().string() +
                                            ": of a training with another model, trace, network or option: delete the "
                                            "folder, or give --checkpoint");
    }
    p = {state.at("epoch").get<std::int64_t>(), state.at("batch").get<std::int64_t>(),
         state.at("steps").get<std::int64_t>(), state.at("tokens").get<std::int64_t>(),
         state.at("seconds").get<double>(),     state.at("best_loss").get<double>(),
         state.at("stale").get<std::int64_t>()};
    if (p.epoch < 0 || p.batch < 0 || p.steps < 0 || p.tokens < 0) return fail(ErrorCode::kInvalidModel, damaged);
  } catch (const json::exception&) {
    return fail(ErrorCode::kInvalidModel, damaged);
  }
  const fs::path weights = directory_ / file_of(p.steps);
  const auto hash = hash_of_weights(weights);
  if (!hash) return tl::unexpected(hash.error());
  if (state.value("weights_blake2b", std::string()) != *hash) {
    return fail(ErrorCode::kInvalidModel, weights.string() + ": damaged: delete the folder to begin anew");
  }
  SIDA_TRY(read_tensors(weights, tensors));
  return p;
}

void Checkpoint::remove() {
  remove_weights(directory_, "");
  std::error_code ignored;
  fs::remove(state_path(), ignored);
  fs::remove(directory_, ignored);  // Unless there is something else in it.
}

}  // namespace sida::predictor
