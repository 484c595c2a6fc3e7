// What became of one request of a load.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sida::load {

using Seconds = std::chrono::duration<double>;

// Times count from the beginning of the run.
struct RequestRecord {
  Seconds intended{0};             // When it was meant to be sent: latencies count from here.
  Seconds sent{0};                 // When it was, once its turn came (a limit on concurrency may hold it back).
  std::vector<Seconds> tokens;     // When each event with a token came.
  Seconds ended{0};                // When the answer was complete, whatever it was.
  std::int64_t input_tokens = 0;   // As the server counted them.
  std::int64_t output_tokens = 0;  // The same; else as many as events came.
  unsigned status = 0;             // Of HTTP; 0: no answer.
  std::string error;               // A code of the server or of the connection; empty: it was answered in full.

  [[nodiscard]] bool completed() const { return error.empty(); }
  // 503: the server had no room, and said so.
  [[nodiscard]] bool rejected() const { return status == 503; }
  [[nodiscard]] Seconds latency() const { return ended - intended; }
  // To the first token; that of the whole answer where none came by itself.
  [[nodiscard]] Seconds first_token() const { return (tokens.empty() ? ended : tokens.front()) - intended; }
  // Per output token after the first; zero when there is one only.
  [[nodiscard]] Seconds per_token() const {
    return output_tokens > 1 ? (latency() - first_token()) / static_cast<double>(output_tokens - 1) : Seconds{0};
  }
};

}  // namespace sida::load
