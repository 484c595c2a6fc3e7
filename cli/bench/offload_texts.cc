#include "cli/bench/offload_texts.h"

#include <algorithm>
#include <fstream>
#include <memory>

#include "cli/trace_input.h"
#include "common/tokenizer/tokenizer.h"

namespace sida::bench {
namespace {

Result<std::filesystem::path> file_of(const TextOptions& options, const std::filesystem::path& scratch) {
  if (!options.file.empty()) return std::filesystem::path(options.file);
  const std::filesystem::path path = scratch / "texts.jsonl";
  std::ofstream file(path, std::ios::binary);
  file << builtin_texts();
  file.close();
  if (!file) return fail(ErrorCode::kIo, path.string() + ": cannot be written");
  return path;
}

Result<std::unique_ptr<tokenizer::Tokenizer>> tokenizer_of(const TextOptions& options,
                                                           const model::ModelDirectory& model) {
  auto loaded =
      tokenizer::load_tokenizer(options.tokenizer.empty() ? model.path() : std::filesystem::path(options.tokenizer));
  if (loaded || loaded.error().code != ErrorCode::kNotFound || !options.tokenizer.empty()) return loaded;
  if (options.file.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                model.path().string() +
                    " has no tokeniser for the built-in texts: give --tokenizer DIR (models/demo, say), whose ids this "
                    "model then reads, or --file with token ids");
  }
  return std::unique_ptr<tokenizer::Tokenizer>();  // Lines of token ids need none.
}

Result<void> check_tokens(const TextKind& kind, std::int64_t vocabulary) {
  for (const auto& source : kind.sources) {
    const auto largest = *std::ranges::max_element(source);
    if (largest >= vocabulary) {
      return fail(ErrorCode::kMismatch, "a text has token " + std::to_string(largest) + ", but the model knows " +
                                            std::to_string(vocabulary) + ": give another --tokenizer");
    }
  }
  return {};
}

}  // namespace

Result<std::vector<TextKind>> read_texts(const TextOptions& options, const model::ModelDirectory& model,
                                         const std::filesystem::path& scratch) {
  const auto file = file_of(options, scratch);
  if (!file) return tl::unexpected(file.error());
  const auto tokenizer = tokenizer_of(options, model);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  const auto& ends = model.config().eos_token_ids;
  const auto input = cli::read_trace_input(*file, tokenizer->get(), ends.empty() ? 1 : ends.front(),
                                           {.task = "text", .source_tokens_max = options.source_tokens_max});
  if (!input) return tl::unexpected(input.error());
  std::vector<TextKind> kinds;
  for (const std::string& name : options.kinds) {
    TextKind kind{.name = name, .sources = {}};
    for (const cli::TraceJob& job : input->jobs) {
      if (job.task == name && !job.source.empty()) kind.sources.push_back(job.source);
    }
    if (kind.sources.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  "no line of the texts has task '" + name + "' (a line without one has 'text'): see --texts");
    }
    SIDA_TRY(check_tokens(kind, model.config().vocab_size));
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

}  // namespace sida::bench
