#include "cli/bench/offload_visit.h"

#include <chrono>
#include <thread>
#include <utility>

#include "cli/bench/cluster_counts.h"
#include "cli/bench/memory_watch.h"
#include "cli/bench/page_cache.h"
#include "cli/bench/stopwatch.h"
#include "cli/parallel_asks.h"
#include "cli/private_cluster.h"

namespace sida::bench {
namespace {

using nlohmann::json;
using Tokens = std::vector<std::int32_t>;

constexpr std::chrono::minutes kAnswerPatience{10};
constexpr std::chrono::minutes kSettlePatience{5};
constexpr std::chrono::seconds kNewsPatience{2};  // For workers' counts to reach the router: twice a second at least.
constexpr std::chrono::milliseconds kStatusPause{100};
constexpr int kQuietLooks = 5;  // Statuses in a row without a byte read, after which a start is over.

// When the tokens of one answer came, seconds after it was asked for.
struct Arrivals {
  std::vector<double> tokens;
};

json question(const Tokens& source, std::int64_t new_tokens) {
  return {{"prompt", source},
          {"max_tokens", new_tokens},
          {"min_tokens", new_tokens},
          {"temperature", 0},
          {"return_token_ids", true}};
}

Result<void> ask(const cli::Url& url, const Tokens& source, std::int64_t new_tokens, Arrivals& arrivals) {
  json body = question(source, new_tokens);
  body["stream"] = true;
  const Stopwatch watch(Time::kWall);
  const auto on_event = [&](const json& data) {
    if (!data.is_object()) return;
    const json ids = data.value(json::json_pointer("/choices/0/token_ids"), json::array());
    if (ids.is_array() && !ids.empty()) arrivals.tokens.push_back(watch.seconds());
  };
  SIDA_TRY(cli::http_stream(url, "/v1/completions", body, kAnswerPatience, on_event));
  if (arrivals.tokens.size() != static_cast<std::size_t>(new_tokens)) {
    return fail(ErrorCode::kInternal, "the router answered " + std::to_string(arrivals.tokens.size()) +
                                          " tokens where " + std::to_string(new_tokens) + " were asked for");
  }
  return {};
}

Result<ClusterCounts> counts_now(const cli::PrivateCluster& cluster) {
  const auto status = cli::http_ask(cluster.admin_url(), "/status", {}, kAnswerPatience);
  if (!status) return tl::unexpected(status.error());
  return cluster_counts(*status);
}

// Once workers have told of all rows that they computed, or after a while without.
Result<ClusterCounts> counts_with_all_news(const cli::PrivateCluster& cluster) {
  const TimePoint until = steady_now() + kNewsPatience;
  while (true) {
    auto counts = counts_now(cluster);
    if (!counts || counts->rows_served >= counts->rows_sent || steady_now() >= until) return counts;
    std::this_thread::sleep_for(kStatusPause);
  }
}

// Until workers read nothing for a while: what they keep for its own sake is there.
Result<void> wait_until_quiet(const cli::PrivateCluster& cluster) {
  const TimePoint until = steady_now() + kSettlePatience;
  std::uint64_t last = 0;
  for (int quiet = 0; quiet < kQuietLooks && steady_now() < until;) {
    const auto counts = counts_now(cluster);
    if (!counts) return tl::unexpected(counts.error());
    quiet = counts->all.bytes_read == last ? quiet + 1 : 0;
    last = counts->all.bytes_read;
    std::this_thread::sleep_for(kStatusPause);
  }
  return {};
}

// The figures of the answers of a pass that took `seconds`.
void add_times(const std::vector<Arrivals>& answers, double seconds, std::int64_t parallel, Pass& pass) {
  for (const Arrivals& answer : answers) {
    if (pass.phase == Phase::kEncode) {
      pass.latencies.push_back(answer.tokens.front());
      pass.items += 1;
      continue;
    }
    for (std::size_t token = 1; token < answer.tokens.size(); ++token) {
      pass.latencies.push_back(answer.tokens[token] - answer.tokens[token - 1]);
    }
    pass.items += static_cast<double>(answer.tokens.size() - 1);
    pass.seconds += (answer.tokens.back() - answer.tokens.front()) / static_cast<double>(parallel);
  }
  if (pass.phase == Phase::kEncode) pass.seconds = seconds;
}

Result<Pass> run_pass(const cli::PrivateCluster& cluster, const TextKind& kind, Phase phase, std::size_t first,
                      const VisitOptions& options, const std::function<void()>& tell) {
  Pass pass;
  pass.text = kind.name;
  pass.phase = phase;
  const std::int64_t new_tokens = phase == Phase::kEncode ? 1 : options.new_tokens;
  const auto before = counts_with_all_news(cluster);
  if (!before) return tl::unexpected(before.error());
  std::vector<Arrivals> answers(static_cast<std::size_t>(options.requests));
  const Stopwatch watch(Time::kWall);
  // Every thread writes into a place of its own.
  SIDA_TRY(cli::ask_in_order<std::size_t>(
      answers.size(), static_cast<std::size_t>(options.parallel),
      [&](std::size_t index) -> Result<std::size_t> {
        SIDA_TRY(ask(cluster.url(), kind.source(first + index), new_tokens, answers[index]));
        return index;
      },
      [&](std::size_t, std::size_t) -> Result<void> {
        tell();
        return {};
      },
      [] { return false; }));
  add_times(answers, watch.seconds(), options.parallel, pass);
  const auto after = counts_with_all_news(cluster);
  if (!after) return tl::unexpected(after.error());
  pass.counts = counts_between(*before, *after, phase);
  return pass;
}

std::vector<Phase> phases(const VisitOptions& options) {
  if (options.new_tokens < 2) return {Phase::kEncode};
  return {Phase::kEncode, Phase::kDecode};
}

Result<void> warm_up(const cli::PrivateCluster& cluster, const std::vector<TextKind>& texts, std::size_t first,
                     const VisitOptions& options, const std::function<void()>& tell) {
  for (const TextKind& kind : texts) {
    for (std::size_t index = 0; index < static_cast<std::size_t>(options.warm_up); ++index) {
      Arrivals unmeasured;
      SIDA_TRY(
          ask(cluster.url(), kind.source(first + index), std::max<std::int64_t>(1, options.new_tokens), unmeasured));
      tell();
    }
  }
  return {};
}

}  // namespace

std::uint64_t answers_per_kind(const VisitOptions& options) {
  return static_cast<std::uint64_t>(options.warm_up +
                                    options.requests * static_cast<std::int64_t>(phases(options).size()));
}

Result<Visit> visit(const Setting& setting, int round, const cli::ClusterOptions& cluster_options,
                    const std::vector<TextKind>& texts, const VisitOptions& options,
                    const std::function<void()>& tell) {
  forget_pages(cluster_options.model);
  const Stopwatch watch(Time::kWall);
  const auto cluster = cli::PrivateCluster::start(cluster_options);
  if (!cluster) return tl::unexpected(cluster.error());
  MemoryWatch memory((*cluster)->pid(), cluster_options.model);
  Visit visit{.setting = setting, .round = round};
  std::size_t first = static_cast<std::size_t>(round) * answers_per_kind(options);
  Arrivals first_answer;
  SIDA_TRY(ask((*cluster)->url(), texts.front().source(first), 1, first_answer));
  visit.first_answer_seconds = watch.seconds();
  SIDA_TRY(wait_until_quiet(**cluster));
  SIDA_TRY(warm_up(**cluster, texts, first, options, tell));
  first += static_cast<std::size_t>(options.warm_up);
  for (const Phase phase : phases(options)) {
    for (const TextKind& kind : texts) {
      auto pass = run_pass(**cluster, kind, phase, first, options, tell);
      if (!pass) return tl::unexpected(std::move(pass).error());
      visit.passes.push_back(std::move(*pass));
    }
    first += static_cast<std::size_t>(options.requests);
  }
  visit.peak_bytes = memory.stop();
  return visit;
}

}  // namespace sida::bench
