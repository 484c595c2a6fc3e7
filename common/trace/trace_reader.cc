#include "common/trace/trace_reader.h"

#include <algorithm>
#include <array>
#include <vector>

namespace sida::trace {

Result<TraceReader> TraceReader::open(const std::filesystem::path& path) {
  auto file = model::ReadOnlyFile::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  std::array<std::byte, kHeaderBytes> bytes{};
  const auto first = std::span(bytes).first(std::min<std::size_t>(kHeaderBytes, file->size()));
  if (auto read = file->read(0, first); !read) return fail_at(path.string(), std::move(read).error());
  auto header = decode_header(first);
  if (!header) return fail_at(path.string(), std::move(header).error());
  return TraceReader(path.string(), std::move(*file), *header);
}

tl::unexpected<Error> TraceReader::at_position(Error error) const {
  return fail_at(path_ + ": byte " + std::to_string(position_), std::move(error));
}

Result<std::optional<TracedSequence>> TraceReader::next() {
  const std::uint64_t left = file_.size() - std::min(position_, file_.size());
  truncated_tail_ = left;
  if (left < kBlockHeadBytes) return std::nullopt;
  std::array<std::byte, kBlockHeadBytes> head_bytes{};
  if (auto read = file_.read(position_, head_bytes); !read) return at_position(std::move(read).error());
  const auto head = decode_block_head(head_bytes);
  if (!head) return at_position(head.error());
  if (left - kBlockHeadBytes < head->payload_bytes) return std::nullopt;
  std::vector<std::byte> payload(head->payload_bytes);
  if (auto read = file_.read(position_ + kBlockHeadBytes, payload); !read) return at_position(std::move(read).error());
  auto sequence = decode_payload(header_, *head, payload);
  if (!sequence) return at_position(std::move(sequence).error());
  truncated_tail_ = 0;
  position_ += kBlockHeadBytes + payload.size();
  return std::move(*sequence);
}

}  // namespace sida::trace
