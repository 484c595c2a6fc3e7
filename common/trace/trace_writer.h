// Writes a trace, from nothing or from where an earlier run stopped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

#include "common/base/result.h"
#include "common/model/output_file.h"
#include "common/trace/traced_sequence.h"

namespace sida::trace {

// One thread. Blocks on disk. Whatever happens between two calls, the file is a good trace up to the last append().
class TraceWriter {
 public:
  // Refuses an existing file. kInvalidArgument when the header's numbers are out of range, kIo.
  static Result<TraceWriter> create(const std::filesystem::path& path, const TraceHeader& header);

  // Reads the whole file, cuts a truncated tail off, and goes on behind its last sequence. kNotFound, kIo; kMismatch
  // when it was made with another model or tokeniser; kInvalidModel when it is damaged. Two writers of one file are not
  // guarded against.
  static Result<TraceWriter> resume(const std::filesystem::path& path, const TraceHeader& header);

  // What the file held when it was resumed: the token ids by ordinal. Empty after create().
  struct Recorded {
    std::vector<std::int32_t> source;
    std::vector<std::int32_t> target;  // Of a teacher-forced sequence; else empty.
  };
  [[nodiscard]] const std::map<std::uint64_t, Recorded>& recorded() const { return recorded_; }

  // SIDA_CHECKs that the sizes fit the header; kInvalidArgument when a sequence is beyond the limits, kIo.
  Result<void> append(const TracedSequence& sequence);

  [[nodiscard]] std::uint64_t bytes() const { return file_.position(); }

  // Waits until the bytes are on disk, and closes. Leaving it out loses nothing but that certainty.
  Result<void> finish() { return file_.finish(); }

 private:
  TraceWriter(model::OutputFile file, const TraceHeader& header) : file_(std::move(file)), header_(header) {}

  model::OutputFile file_;
  TraceHeader header_;
  std::map<std::uint64_t, Recorded> recorded_;
};

}  // namespace sida::trace
