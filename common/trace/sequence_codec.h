// The bytes of a trace, without a file: docs/trace.md. Decoding takes any bytes and never more memory than a small
// multiple of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/trace/traced_sequence.h"

namespace sida::trace {

inline constexpr std::size_t kHeaderBytes = 104;
inline constexpr std::size_t kBlockHeadBytes = 16;

std::array<std::byte, kHeaderBytes> encode_header(const TraceHeader& header);

// `bytes`: the first kHeaderBytes of a file, or all of a shorter one. kInvalidModel: not a trace, another version, or
// damaged.
Result<TraceHeader> decode_header(std::span<const std::byte> bytes);

// What stands in front of a sequence's payload.
struct BlockHead {
  std::uint32_t payload_bytes = 0;
  std::uint32_t payload_checksum = 0;
};

// kInvalidModel when it is damaged.
Result<BlockHead> decode_block_head(std::span<const std::byte, kBlockHeadBytes> bytes);

// Head and payload. SIDA_CHECKs that sizes fit the header; kInvalidArgument when a limit of traced_sequence.h is
// exceeded.
Result<std::vector<std::byte>> encode_block(const TraceHeader& header, const TracedSequence& sequence);

// kInvalidModel when the checksum does not match, or anything in it is out of range.
Result<TracedSequence> decode_payload(const TraceHeader& header, const BlockHead& head,
                                      std::span<const std::byte> payload);

}  // namespace sida::trace
