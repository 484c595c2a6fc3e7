// The sources that `sida bench offload` sends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/model/model_directory.h"

namespace sida::bench {

// Of one kind, in the order of the file.
struct TextKind {
  std::string name;
  std::vector<std::vector<std::int32_t>> sources;  // Token ids, the end token included. Not empty.

  // Goes round.
  [[nodiscard]] const std::vector<std::int32_t>& source(std::size_t index) const {
    return sources[index % sources.size()];
  }
};

struct TextOptions {
  std::string file;       // As `sida trace` takes; empty: the built-in texts.
  std::string tokenizer;  // Directory; empty: the model's.
  std::vector<std::string> kinds;
  std::int64_t source_tokens_max = 512;
};

// The prompts of tests/golden/demo, held-out real text of the demo model's tasks: 50 of each of short, pair and long.
std::string_view builtin_texts();

// The sources of each kind asked for, by the `task` of their lines. `scratch`: a directory to write into.
// Errors: those of cli/trace_input.h; kInvalidArgument for a kind that no line is of, or where text must be tokenised
// and neither the model nor an option gives a tokeniser; kMismatch for a token that the model does not know.
Result<std::vector<TextKind>> read_texts(const TextOptions& options, const model::ModelDirectory& model,
                                         const std::filesystem::path& scratch);

}  // namespace sida::bench
