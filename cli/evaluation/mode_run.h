// The same sequences through a cluster in several routing modes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/http_client.h"
#include "cli/trace_input.h"
#include "common/base/result.h"

namespace sida::cli {

// What is asked about: answers, which must equal the target to be right, and texts whose perplexity is taken.
struct ModeWork {
  std::vector<TraceJob> answers;
  std::vector<TraceJob> texts;
};

// Of `given`: sequences of the tasks named go to `answers`, all others to `texts`; of each task the first
// `per_task_max` (0: all). Where no other task is there, `texts` holds all.
ModeWork mode_work(const std::vector<TraceJob>& given, const std::vector<std::string>& answer_tasks,
                   std::int64_t per_task_max);

struct AnswerCounts {
  std::uint64_t sequences = 0;
  std::uint64_t right = 0;
  std::uint64_t unchanged = 0;  // The same tokens as in exact mode.
};

struct Loss {
  std::uint64_t tokens = 0;
  double sum = 0;  // Of -ln p over the target tokens.

  [[nodiscard]] double perplexity() const;  // 0 of no tokens.
};

struct ModeResult {
  std::string mode;                             // "exact", "gated", "predicted".
  std::string weights;                          // What scaled the table's experts; empty for exact.
  std::map<std::string, AnswerCounts> answers;  // By task.
  std::map<std::string, Loss> losses;           // By task.
  // (token, layer) pairs: see docs/api.md.
  std::uint64_t routed = 0;
  std::uint64_t by_table = 0;
  std::uint64_t late = 0;
  std::uint64_t compared = 0;
  std::uint64_t agreed = 0;
  std::chrono::duration<double> elapsed{0};

  [[nodiscard]] AnswerCounts all_answers() const;
  [[nodiscard]] Loss all_losses() const;  // Weighted by target tokens.
};

struct ModeRunOptions {
  std::int64_t parallel = 16;
  std::chrono::milliseconds timeout{600'000};
};

// The tokens answered to each of ModeWork::answers.
using AnswerTokens = std::vector<std::vector<std::int32_t>>;

// One mode. `exact`: what exact mode answered, or null in exact mode itself; `tokens` is filled. kCancelled after
// SIGINT or SIGTERM, which the caller has blocked.
Result<ModeResult> run_mode(const ModeWork& work, const std::string& mode, const Url& url,
                            const ModeRunOptions& options, const AnswerTokens* exact, AnswerTokens& tokens);

}  // namespace sida::cli
