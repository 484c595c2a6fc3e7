#include "cli/trace_input.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

namespace sida::cli {
namespace {

using Tokens = std::vector<std::int32_t>;

// A line as it stands: each side as text, as ids, or absent.
struct Side {
  std::optional<std::string> text;
  std::optional<Tokens> ids;
  [[nodiscard]] bool present() const { return text || ids; }
};
struct Line {
  Side source;
  Side target;
  std::optional<std::string> task;
};

tl::unexpected<Error> invalid(const std::string& why) {
  return fail(ErrorCode::kInvalidArgument, why);
}

Result<std::optional<std::string>> text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::optional<std::string>();
  if (!found->is_string()) return invalid(std::string(key) + " is not a text");
  return std::optional(found->get<std::string>());
}

Result<std::optional<Tokens>> ids_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::optional<Tokens>();
  const auto bad = [&] { return invalid(std::string(key) + " is not a list of token ids"); };
  if (!found->is_array() || found->empty()) return bad();
  Tokens ids;
  for (const auto& id : *found) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX) return bad();
    ids.push_back(id.get<std::int32_t>());
  }
  return std::optional(std::move(ids));
}

Result<Side> side_of(const nlohmann::json& object, std::initializer_list<const char*> text_keys, const char* ids_key) {
  Side side;
  for (const char* key : text_keys) {
    auto text = text_of(object, key);
    if (!text) return tl::unexpected(std::move(text).error());
    if (!*text) continue;
    if (side.text) return invalid("it has both prompt and text: give one");
    side.text = std::move(*text);
  }
  auto ids = ids_of(object, ids_key);
  if (!ids) return tl::unexpected(std::move(ids).error());
  if (side.text && *ids) return invalid(std::string("it has both text and ") + ids_key + ": give one");
  side.ids = std::move(*ids);
  return side;
}

Result<Line> parse_json_line(const std::string& text) {
  const auto object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object())
    return invalid(
        R"(not a JSON object: a line is like {"prompt": "a text"}; plain text needs another name than .jsonl)");
  Line line;
  auto source = side_of(object, {"prompt", "text"}, "input_ids");
  if (!source) return tl::unexpected(std::move(source).error());
  auto target = side_of(object, {"target"}, "target_ids");
  if (!target) return tl::unexpected(std::move(target).error());
  auto task = text_of(object, "task");
  if (!task) return tl::unexpected(std::move(task).error());
  if (!source->present()) return invalid("it has none of prompt, text and input_ids: give one");
  return Line{std::move(*source), std::move(*target), std::move(*task)};
}

bool blank(const std::string& text) {
  return text.find_first_not_of(" \t\r") == std::string::npos;
}

// Turns lines into jobs.
class JobMaker {
 public:
  JobMaker(const tokenizer::Tokenizer* tokenizer, std::int32_t end, const TraceInputOptions& options,
           std::optional<Sentinels> sentinels)
      : tokenizer_(tokenizer), end_(end), options_(options), sentinels_(std::move(sentinels)) {}

  Result<void> add(std::uint64_t ordinal, const Line& line) {
    TraceJob job{.ordinal = ordinal, .task = line.task.value_or(options_.task), .source = {}, .target = {}};
    const std::uint64_t shortened_before = shortened_;
    if (sentinels_ && !line.target.present()) {
      if (!hide(line.source, job)) {
        ++input_.skipped;
        return {};
      }
    } else {
      SIDA_TRY(fill(line.source, options_.source_tokens_max, job.source));
      SIDA_TRY(fill(line.target, options_.target_tokens_max, job.target));
    }
    input_.shortened += shortened_ > shortened_before ? 1 : 0;
    input_.jobs.push_back(std::move(job));
    return {};
  }
  void skip() { ++input_.skipped; }

  TraceInput take() { return std::move(input_); }

 private:
  // Ids as they are, or text with its end token.
  Result<void> fill(const Side& side, std::int64_t tokens_max, Tokens& tokens) {
    if (!side.present()) return {};
    if (side.text && tokenizer_ == nullptr)
      return invalid("this model has no tokeniser: give input_ids and target_ids");
    tokens = side.ids ? *side.ids : tokenizer_->encode(*side.text, true);
    const auto most = static_cast<std::size_t>(tokens_max);
    if (tokens.size() <= most) return {};
    ++shortened_;
    const bool ended = tokens.back() == end_;
    tokens.resize(most);
    if (ended) tokens.back() = end_;
    return {};
  }

  // False: too short to hide anything of it.
  bool hide(const Side& side, TraceJob& job) {
    Tokens tokens = side.ids ? *side.ids : tokenizer_->encode(*side.text, false);
    const auto most = static_cast<std::size_t>(options_.source_tokens_max - 1);  // The end token comes on top.
    if (tokens.size() > most) {
      ++shortened_;
      tokens.resize(most);
    }
    auto hidden = hide_spans(tokens, *sentinels_, *options_.span_corruption, job.ordinal);
    if (!hidden) return false;
    job.source = std::move(hidden->source);
    job.target = std::move(hidden->target);
    return true;
  }

  const tokenizer::Tokenizer* tokenizer_;
  std::int32_t end_;
  const TraceInputOptions& options_;
  std::optional<Sentinels> sentinels_;
  TraceInput input_;
  std::uint64_t shortened_ = 0;
};

Result<JobMaker> make_job_maker(const tokenizer::Tokenizer* tokenizer, std::int32_t end,
                                const TraceInputOptions& options) {
  std::optional<Sentinels> sentinels;
  if (options.span_corruption) {
    if (tokenizer == nullptr) return invalid("--span-corruption needs a model with a tokeniser");
    auto found = find_sentinels(*tokenizer, end);
    if (!found) return tl::unexpected(std::move(found).error());
    sentinels = std::move(*found);
  }
  return JobMaker(tokenizer, end, options, std::move(sentinels));
}

}  // namespace

Result<TraceInput> read_trace_input(const std::filesystem::path& path, const tokenizer::Tokenizer* tokenizer,
                                    std::int32_t end_token, const TraceInputOptions& options) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kNotFound, path.string() + ": cannot be opened: give a readable file of texts");
  auto maker = make_job_maker(tokenizer, end_token, options);
  if (!maker) return tl::unexpected(std::move(maker).error());
  const bool json = path.extension() == ".jsonl";
  std::string text;
  for (std::uint64_t ordinal = 0; std::getline(file, text); ++ordinal) {
    if (options.lines_max > 0 && ordinal >= static_cast<std::uint64_t>(options.lines_max)) break;
    if (blank(text)) {
      maker->skip();
      continue;
    }
    if (text.ends_with('\r')) text.pop_back();
    auto line = json ? parse_json_line(text) : Result<Line>(Line{.source = {text, {}}, .target = {}, .task = {}});
    const auto added = line ? maker->add(ordinal, *line) : tl::unexpected(line.error());
    if (!added) return fail_at(path.string() + ": line " + std::to_string(ordinal + 1), added.error());
  }
  if (file.bad()) return fail(ErrorCode::kIo, path.string() + ": cannot be read");
  TraceInput input = maker->take();
  if (input.jobs.empty()) return fail(ErrorCode::kInvalidArgument, path.string() + ": there is no text in it");
  return input;
}

}  // namespace sida::cli
