#include "predictor/training/train.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>
#include <system_error>

#include "common/model/output_file.h"
#include "predictor/hash/learned_hash.h"
#include "predictor/hash/predictor_directory.h"
#include "predictor/hash/recorded_routes.h"
#include "predictor/training/card.h"
#include "predictor/training/default_shape.h"
#include "predictor/training/held_out_hits.h"
#include "predictor/training/tensor_file.h"

namespace sida::predictor {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// At most so many held-out tokens measure the finished predictor.
constexpr std::int64_t kMeasuredTokensMax = 200'000;

// What must be equal for a checkpoint to go on.
std::string purpose_of(const TrainingOptions& o, const json& card, const Corpus& corpus) {
  json purpose{{"card", card},
               {"sequences", corpus.training().size()},
               {"trace_bytes", json::array()},
               {"tokens", o.tokens},
               {"batch_tokens", o.batch_tokens},
               {"rate", o.rate},
               {"copied_rate", o.copied_rate},
               {"seed", o.seed},
               {"held_out", o.held_out},
               {"begin_with", o.begin_with}};
  for (const std::string& trace : o.traces) {
    std::error_code ignored;
    purpose["trace_bytes"].push_back(fs::file_size(trace, ignored));
  }
  return purpose.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<at::Tensor> read_embedding(const model::ModelDirectory& model) {
  auto read = TokenEmbedding::read(model);
  if (!read) return tl::unexpected(std::move(read).error());
  std::vector<float> values = read->values();
  return at::from_blob(values.data(), {read->vocab(), read->d_model()}, at::kFloat).clone();
}

Result<void> write_card(const fs::path& directory, const json& card) {
  const fs::path path = directory / "predictor.json";
  const fs::path partial = path.string() + ".partial";
  std::error_code failed;
  fs::remove(partial, failed);
  auto file = model::OutputFile::create(partial);
  if (!file) return tl::unexpected(std::move(file).error());
  SIDA_TRY(file->append(card.dump(2, ' ', false, json::error_handler_t::replace) + "\n"));
  SIDA_TRY(file->finish());
  fs::rename(partial, path, failed);
  if (failed) return fail(ErrorCode::kIo, path.string() + ": " + failed.message());
  return {};
}

// Weights first, the card that names them last.
Result<void> write_predictor(const TrainingOptions& o, const Parameters& parameters, const NetworkShape& shape,
                             json& card) {
  const DType matrices = shape.variant == Variant::kPublished ? DType::kFloat32 : DType::kBFloat16;
  const fs::path weights = fs::path(o.out) / kWeightsFile;
  SIDA_TRY(parameters.write(weights, matrices));
  auto hash = hash_of_weights(weights);
  if (!hash) return tl::unexpected(std::move(hash).error());
  card["file_blake2b"] = *std::move(hash);
  return write_card(o.out, card);
}

Result<TaskHits> measure_written(const TrainingOptions& o, const model::ModelDirectory& model, Corpus& corpus) {
  auto function = open_hash_function(o.out, served_model(model));
  if (!function) return tl::unexpected(std::move(function).error());
  TaskHits hits;
  std::int64_t tokens = 0;
  for (const SequencePlace& place : corpus.held_out()) {
    if (tokens > kMeasuredTokensMax) break;
    auto sequences = corpus.read({place});
    if (!sequences) return tl::unexpected(std::move(sequences).error());
    count_hits(corpus.header(), sequences->front(), **function, hits);
    tokens += place.tokens();
  }
  return hits;
}

Result<void> prepare(TrainingOptions& o) {
  if (o.checkpoint.empty()) o.checkpoint = (fs::path(o.out) / "checkpoint").string();
  std::error_code failed;
  fs::create_directories(o.out, failed);
  if (failed) return fail(ErrorCode::kIo, o.out + ": " + failed.message());
  at::set_num_threads(static_cast<int>(o.threads));
  return {};
}

}  // namespace

Result<json> train(const TrainingOptions& given, const TrainingHooks& hooks) {
  TrainingOptions options = given;
  const auto model = model::ModelDirectory::open(options.model);
  if (!model) return tl::unexpected(model.error());
  auto shape = default_shape(*model, options);
  if (!shape) return tl::unexpected(std::move(shape).error());
  const ModelShape of_model = model_shape(served_model(*model));
  hooks.say("reading " + std::to_string(options.traces.size()) + " trace(s)");
  auto corpus = Corpus::open(
      {options.traces, trace_of(served_model(*model)), options.held_out, static_cast<std::uint64_t>(options.seed)});
  if (!corpus) return tl::unexpected(std::move(corpus).error());
  auto embedding = read_embedding(*model);
  if (!embedding) return tl::unexpected(std::move(embedding).error());
  SIDA_TRY(prepare(options));

  Parameters parameters = Parameters::random(*shape, of_model, static_cast<std::uint64_t>(options.seed));
  const bool copied = mirrors(*shape, *model);
  if (copied) SIDA_TRY(parameters.copy_from(*model, *shape));
  if (!options.begin_with.empty()) {
    SIDA_TRY(parameters.begin_with(fs::path(options.begin_with) / kWeightsFile));
  }
  json card = card_of(*shape, of_model, model->fingerprint(), options);
  hooks.say("learning from " + std::to_string(corpus->training().size()) + " sequences, measuring on " +
            std::to_string(corpus->held_out().size()) +
            (copied ? "; the network begins as the model's own weights" : ""));
  Trainer trainer(options, *shape, of_model, *embedding, *corpus, parameters, purpose_of(options, card, *corpus));
  const auto progress = trainer.run(hooks.measured, hooks.stop);
  if (!progress) return tl::unexpected(progress.error());

  card["training"] = training_of(options, *corpus, *progress, copied);
  SIDA_TRY(write_predictor(options, parameters, *shape, card));
  hooks.say("measuring what was written");
  const auto hits = measure_written(options, *model, *corpus);
  if (!hits) return tl::unexpected(hits.error());
  card["held_out"] = metrics_of(*hits);
  SIDA_TRY(write_card(options.out, card));
  trainer.remove_checkpoint();
  return card;
}

}  // namespace sida::predictor
