// Bytes of an envelope: a msgpack array [version, type, header, body], body an array of the fields in their order.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/proto/messages.h"

namespace sida::proto {

// Programming mistakes (a limit exceeded by our own code) are SIDA_CHECKs. Pure; any thread. What may come from
// elsewhere is fitted instead: texts are cut at their limit and bytes that a log line cannot hold become '?'; durations
// are clamped to [0, kMaxDuration], except that a header whose time is over says 1 us, since 0 means no deadline.
std::vector<std::byte> encode(const Envelope& envelope);

// Hostile input is expected: kMalformedMessage with the field's name, kMismatch for another protocol version. Checks
// sizes before parsing, budgets while parsing, and ranges after it: counts agree with each other (sum of group rows =
// shape.rows, experts.size() = layers * tokens * k), dtype and enum values are known, ids that must not be negative are
// not, texts are UTF-8 without control characters.
Result<Envelope> decode(std::span<const std::byte> bytes);

// kMalformedMessage unless `bytes` equals what the shape says and is within kMaxRowsBytes.
Result<void> check_rows(const TensorShape& shape, std::size_t bytes);

}  // namespace sida::proto
