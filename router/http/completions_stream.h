// Streamed completions: tokens as they come, to the chunks of OpenAI's server-sent events. No sockets.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "router/core/request.h"
#include "router/http/completions_request.h"
#include "router/http/completions_response.h"
#include "router/http/growing_text.h"
#include "router/http/served_model.h"

namespace sida::router {

// One choice. Text goes out as soon as it can no longer become part of a stop string.
class ChoiceStream {
 public:
  // All must outlive it.
  ChoiceStream(std::size_t index, const ResponseMeta& meta, const CompletionsRequest& request,
               const ServedModel& model);

  // The chunk for one more token; nothing when the choice has ended.
  std::optional<nlohmann::json> add(const GeneratedToken& token);
  // A stop string was reached: the job can be cancelled, and finish() be called with what is there.
  [[nodiscard]] bool reached_stop() const { return reached_stop_; }
  // The last chunk, with the rest of the text and the finish reason.
  nlohmann::json finish(FinishReason reason, const RoutingReport& routing);

  [[nodiscard]] std::size_t token_count() const { return tokens_; }

 private:
  nlohmann::json chunk(const std::string& text, const std::vector<GeneratedToken>& tokens,
                       const nlohmann::json& finish_reason);

  std::size_t index_;
  const ResponseMeta& meta_;
  const CompletionsRequest& request_;
  const ServedModel& model_;
  GrowingText decoded_;         // Of all tokens.
  std::size_t tokens_ = 0;      // How many those are.
  std::string text_;            // The same; ends before the stop string once that came.
  std::size_t sent_bytes_ = 0;  // Of text_.
  bool reached_stop_ = false;
  std::string echo_;  // Before the first text; empty once it is sent.
};

// Bytes at the end of `text` that may turn out to be the beginning of a stop string.
std::size_t held_back_bytes(const std::string& text, const std::vector<std::string>& stop);

// The chunk with `usage` and no choices, for stream_options.include_usage.
nlohmann::json usage_chunk(const ResponseMeta& meta, const CompletionsRequest& request, const ServedModel& model,
                           std::size_t completion_tokens);

}  // namespace sida::router
