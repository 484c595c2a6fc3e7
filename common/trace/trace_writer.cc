#include "common/trace/trace_writer.h"

#include <utility>

#include "common/trace/sequence_codec.h"
#include "common/trace/trace_reader.h"

namespace sida::trace {
namespace {

// What differs, and what to do about it.
Result<void> check_same(const std::filesystem::path& path, const TraceHeader& file, const TraceHeader& wanted) {
  const char* what = file.model != wanted.model           ? "model"
                     : file.tokenizer != wanted.tokenizer ? "tokeniser"
                     : file != wanted                     ? "configuration"
                                                          : nullptr;
  if (what == nullptr) return {};
  return fail(ErrorCode::kMismatch, path.string() + ": was recorded with another " + what +
                                        ": give the model that it was made with, or another file to write");
}

}  // namespace

Result<TraceWriter> TraceWriter::create(const std::filesystem::path& path, const TraceHeader& header) {
  const auto bytes = encode_header(header);
  if (auto readable = decode_header(bytes); !readable) {
    return fail(ErrorCode::kInvalidArgument, "this model cannot be traced: " + readable.error().message);
  }
  auto file = model::OutputFile::create(path);
  if (!file) return tl::unexpected(std::move(file).error());
  SIDA_TRY(file->append(bytes));
  return TraceWriter(std::move(*file), header);
}

Result<TraceWriter> TraceWriter::resume(const std::filesystem::path& path, const TraceHeader& header) {
  auto reader = TraceReader::open(path);
  if (!reader) return tl::unexpected(std::move(reader).error());
  SIDA_TRY(check_same(path, reader->header(), header));
  std::map<std::uint64_t, Recorded> recorded;
  while (true) {
    auto sequence = reader->next();
    if (!sequence) return tl::unexpected(std::move(sequence).error());
    if (!*sequence) break;
    TracedSequence& read = **sequence;
    if (!read.teacher_forced) read.target.clear();
    recorded[read.ordinal] = {std::move(read.source), std::move(read.target)};
  }
  auto file = model::OutputFile::reopen(path, reader->position());
  if (!file) return tl::unexpected(std::move(file).error());
  TraceWriter writer(std::move(*file), header);
  writer.recorded_ = std::move(recorded);
  return writer;
}

Result<void> TraceWriter::append(const TracedSequence& sequence) {
  auto block = encode_block(header_, sequence);
  if (!block) return tl::unexpected(std::move(block).error());
  return file_.append(*block);
}

}  // namespace sida::trace
