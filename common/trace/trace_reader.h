// Reads a trace, sequence by sequence.
//
//   auto reader = trace::TraceReader::open(path);
//   while (true) {
//     const std::uint64_t at = reader->position();
//     auto sequence = reader->next();
//     if (!sequence) return tl::unexpected(sequence.error());  // Damaged.
//     if (!*sequence) break;                                   // The end.
//     ...                                                      // (*sequence)->encoder[layer].top_experts ...
//   }
//   reader->seek(at);  // Any position seen before, in any order: how an epoch is shuffled without holding the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/model/read_only_file.h"
#include "common/trace/sequence_codec.h"
#include "common/trace/traced_sequence.h"

namespace sida::trace {

// One thread. Blocks on disk. Any bytes may be in the file: errors are kInvalidModel with the file and the byte named,
// and kIo.
class TraceReader {
 public:
  // Also kNotFound. Reads the header only.
  static Result<TraceReader> open(const std::filesystem::path& path);

  [[nodiscard]] const TraceHeader& header() const { return header_; }

  // The sequence at position(), which moves behind it; nothing at the end. A last sequence that was not written to its
  // end, as after a crash, is the end too: see truncated_tail(). Anything else that is not as written is an error, and
  // position() stays.
  Result<std::optional<TracedSequence>> next();

  // Byte in the file where the next sequence begins.
  [[nodiscard]] std::uint64_t position() const { return position_; }
  // `position` was given by position() of a reader of the same file.
  void seek(std::uint64_t position) { position_ = position; }
  void rewind() { position_ = kHeaderBytes; }

  // After next() found the end: bytes behind position() that are the beginning of a sequence and not the whole of it.
  // Not an error: the sequences before are complete.
  [[nodiscard]] std::uint64_t truncated_tail() const { return truncated_tail_; }

 private:
  TraceReader(std::string path, model::ReadOnlyFile file, const TraceHeader& header)
      : path_(std::move(path)), file_(std::move(file)), header_(header) {}

  [[nodiscard]] tl::unexpected<Error> at_position(Error error) const;

  std::string path_;
  model::ReadOnlyFile file_;
  TraceHeader header_;
  std::uint64_t position_ = kHeaderBytes;
  std::uint64_t truncated_tail_ = 0;
};

}  // namespace sida::trace
