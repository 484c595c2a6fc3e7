// The fields of every message in their order on the wire, with their limits. Written once: Counter, Writer and Reader
// (archive.h) all run over them. Append a field only together with a new kProtocolVersion.
#pragma once

#include <limits>

#include "common/base/checked_math.h"
#include "common/proto/archive.h"
#include "common/proto/messages.h"

namespace sida::proto {

// `const T` for archives that only look.
template <typename Archive, typename T>
using Of = typename Archive::template Field<T>;

inline constexpr std::int32_t kMaxTokenId = std::numeric_limits<std::int32_t>::max();

template <typename A>
void dtype_field(A& a, const char* name, Of<A, DType>& dtype) {
  a.number(name, dtype, static_cast<std::uint64_t>(DType::kFloat32), static_cast<std::uint64_t>(DType::kUInt8));
}

template <typename A>
void error_code_field(A& a, Of<A, ErrorCode>& code) {
  a.number("code", code, static_cast<std::uint64_t>(ErrorCode::kInvalidArgument),
           static_cast<std::uint64_t>(ErrorCode::kInternal));
}

template <typename A>
void channel_field(A& a, Of<A, ChannelKind>& channel) {
  a.number("channel", channel, static_cast<std::uint64_t>(ChannelKind::kZeroMq),
           static_cast<std::uint64_t>(ChannelKind::kNccl));
}

template <typename A>
void layer_field(A& a, const char* name, Of<A, LayerId>& layer) {
  a.number(name, layer, 0, kMaxLayers - 1);
}

template <typename A>
void expert_field(A& a, Of<A, ExpertId>& expert) {
  a.number("expert", expert, 0, kMaxExperts - 1);
}

inline constexpr auto as_layer = [](auto& items, auto& layer) { layer_field(items, "layer", layer); };
inline constexpr auto as_channel = [](auto& items, auto& channel) { channel_field(items, channel); };
inline constexpr auto as_object = [](auto& items, auto& item) { items.object("item", item); };

template <typename A>
void fields(A& a, Of<A, TraceContext>& m) {
  a.raw("trace_id", m.trace_id);
  a.raw("span_id", m.span_id);
  a.number("flags", m.flags);
}

template <typename A>
void fields(A& a, Of<A, Header>& m) {
  a.object("trace", m.trace);
  a.duration("remaining", m.remaining, std::chrono::microseconds(1));
}

template <typename A>
void fields(A& a, Of<A, DispatchId>& m) {
  a.number("router", m.router);
  a.number("step", m.step);
  layer_field(a, "layer", m.layer);
  a.number("part", m.part);
  a.number("attempt", m.attempt);
}

template <typename A>
void fields(A& a, Of<A, ExpertKey>& m) {
  layer_field(a, "layer", m.layer);
  expert_field(a, m.expert);
}

template <typename A>
void fields(A& a, Of<A, TensorShape>& m) {
  dtype_field(a, "dtype", m.dtype);
  a.number("rows", m.rows);
  a.number("columns", m.columns);
}

template <typename A>
void fields(A& a, Of<A, Hello>& m) {
  a.number("router", m.router);
  a.text("software_version", m.software_version, kMaxNameBytes);
  a.raw("model", m.model);
  dtype_field(a, "compute_dtype", m.compute_dtype);
  a.list("channels", m.channels, kMaxChannels, as_channel);
}

template <typename A>
void fields(A& a, Of<A, Capacity>& m) {
  a.number("memory_budget_bytes", m.memory_budget_bytes);
  a.number("expert_bytes", m.expert_bytes);
  a.number("slots", m.slots);
  a.rate("experts_per_second", m.experts_per_second);
  a.number("credit_bytes", m.credit_bytes);
}

template <typename A>
void fields(A& a, Of<A, Welcome>& m) {
  a.number("worker", m.worker);
  a.text("name", m.name, kMaxNameBytes);
  a.text("software_version", m.software_version, kMaxNameBytes);
  a.raw("model", m.model);
  a.raw("predictor", m.predictor);
  a.number("numerics_id", m.numerics_id);
  a.object("capacity", m.capacity);
  a.list("covered_layers", m.covered_layers, kMaxLayers, as_layer);
  channel_field(a, m.channel);
  a.text("data_endpoint", m.data_endpoint, kMaxStringBytes);
  a.text("shared_memory_endpoint", m.shared_memory_endpoint, kMaxStringBytes);
  a.text("kernel", m.kernel, kMaxNameBytes);
  a.number("process_id", m.process_id);
}

template <typename A>
void fields(A& a, Of<A, Refuse>& m) {
  error_code_field(a, m.code);
  a.text("message", m.message, kMaxStringBytes);
}

template <typename A>
void fields(A& a, Of<A, Member>& m) {
  a.number("worker", m.worker);
  a.text("name", m.name, kMaxNameBytes);
  a.object("capacity", m.capacity);
  a.number("numerics_id", m.numerics_id);
  a.list("covered_layers", m.covered_layers, kMaxLayers, as_layer);
  a.flag("draining", m.draining);
}

template <typename A>
void fields(A& a, Of<A, Roster>& m) {
  a.number("epoch", m.epoch);
  a.list("members", m.members, kMaxMembers, as_object);
}

template <typename A>
void fields(A& a, Of<A, Prefetch::Item>& m) {
  a.object("key", m.key);
  a.number("rows", m.rows);
}

template <typename A>
void fields(A& a, Of<A, Prefetch>& m) {
  a.number("sequence", m.sequence);
  a.number("step", m.step);
  a.list("items", m.items, kMaxPrefetchItems, as_object);
}

template <typename A>
void fields(A& a, Of<A, Dispatch::Group>& m) {
  expert_field(a, m.expert);
  a.number("rows", m.rows);
}

template <typename A>
void fields(A& a, Of<A, Dispatch>& m) {
  a.object("id", m.id);
  a.list("groups", m.groups, kMaxGroups, as_object);
  a.object("shape", m.shape);
}

template <typename A>
void fields(A& a, Of<A, Cancel>& m) {
  a.object("id", m.id);
}

template <typename A>
void fields(A& a, Of<A, DispatchResult>& m) {
  a.object("id", m.id);
  a.object("shape", m.shape);
  a.number("hits", m.hits);
  a.number("misses", m.misses);
  a.duration("compute", m.compute);
}

template <typename A>
void fields(A& a, Of<A, DispatchFailure>& m) {
  a.object("id", m.id);
  error_code_field(a, m.code);
  a.text("message", m.message, kMaxStringBytes);
}

template <typename A>
void fields(A& a, Of<A, Estimate>& m) {
  a.object("id", m.id);
  a.duration("remaining", m.remaining);
}

template <typename A>
void fields(A& a, Of<A, LinkFaults>& m) {
  a.number("malformed_messages", m.malformed_messages);
  a.number("unknown_keys", m.unknown_keys);
  a.number("handshakes", m.handshakes);
}

template <typename A>
void fields(A& a, Of<A, Residency>& m) {
  a.list("resident", m.resident, kMaxResident, as_object);
  a.number("memory_bytes", m.memory_bytes);
  a.number("hits", m.hits);
  a.number("misses", m.misses);
  a.number("rows_served", m.rows_served);
  a.number("prefetches", m.prefetches);
  a.number("prefetches_useful", m.prefetches_useful);
  a.number("prefetches_late", m.prefetches_late);
  a.number("prefetches_wasted", m.prefetches_wasted);
  a.number("prefetches_cancelled", m.prefetches_cancelled);
  a.number("reads", m.reads);
  a.flag("prefetching", m.prefetching);
  a.object("faults", m.faults);
}

template <typename A>
void fields(A&, Of<A, Draining>&) {}

template <typename A>
void fields(A&, Of<A, Resume>&) {}

template <typename A>
void fields(A& a, Of<A, Heartbeat>& m) {
  a.number("progress", m.progress);
  a.flag("busy", m.busy);
}

template <typename A>
void fields(A& a, Of<A, Predict>& m) {
  a.number("sequence", m.sequence);
  a.packed("tokens", m.tokens, kMaxTokens, std::int32_t{0}, kMaxTokenId);
  a.number("k", m.k, 1, kMaxExpertsPerToken);
}

template <typename A>
void fields(A& a, Of<A, Advance>& m) {
  a.number("sequence", m.sequence);
  a.number("position", m.position);
  a.number("token", m.token, 0, kMaxTokenId);
  a.number("k", m.k, 1, kMaxExpertsPerToken);
}

template <typename A>
void fields(A& a, Of<A, Forget>& m) {
  a.number("sequence", m.sequence);
}

template <typename A>
void fields(A& a, Of<A, HashTableEntries>& m) {
  a.number("sequence", m.sequence);
  a.raw("model", m.model);
  a.raw("predictor", m.predictor);
  layer_field(a, "first_layer", m.first_layer);
  a.number("layers", m.layers, 0, kMaxLayers);
  a.number("first_token", m.first_token);
  a.number("tokens", m.tokens, 0, kMaxTokens);
  a.number("k", m.k, 1, kMaxExpertsPerToken);
  a.packed("experts", m.experts, kMaxEntries, std::int16_t{-1}, std::int16_t{kMaxExperts - 1});
  a.packed("confidences", m.confidences, kMaxEntries, 0.0F, 1.0F);
}

template <typename A>
void fields(A& a, Of<A, PredictorReport>& m) {
  a.number("sequences", m.sequences);
  a.number("state_bytes", m.state_bytes);
  a.number("sources", m.sources);
  a.number("source_tokens", m.source_tokens);
  a.number("source_batches", m.source_batches);
  a.number("steps", m.steps);
  a.number("entries", m.entries);
  a.number("source_micros", m.source_micros);
  a.number("step_micros", m.step_micros);
  a.number("cpu_micros", m.cpu_micros);
  a.number("uptime_micros", m.uptime_micros);
  a.number("expired", m.expired);
  a.number("dropped", m.dropped);
  a.object("faults", m.faults);
}

// What must hold between fields: an explanation, or nullptr when all is well.
inline const char* contradiction(const auto&) {
  return nullptr;
}

inline const char* contradiction(const TensorShape& m) {
  const auto elements = checked_mul(m.rows, m.columns);
  const auto bytes = elements ? checked_mul(*elements, bytes_per_element(m.dtype)) : std::nullopt;
  return bytes && *bytes <= kMaxRowsBytes ? nullptr : "shape: more bytes than one message of rows may have";
}

inline const char* contradiction(const Dispatch& m) {
  std::uint64_t rows = 0;
  for (const Dispatch::Group& group : m.groups) rows += group.rows;
  if (rows != m.shape.rows) return "groups: their rows are not those of the shape";
  return contradiction(m.shape);
}

inline const char* contradiction(const DispatchResult& m) {
  return contradiction(m.shape);
}

inline const char* contradiction(const HashTableEntries& m) {
  const std::uint64_t entries = std::uint64_t{m.layers} * m.tokens * m.k;  // At most 2^29 by the fields' limits.
  if (m.experts.size() != entries) return "experts: not layers x tokens x k";
  if (m.confidences.size() != entries) return "confidences: not layers x tokens x k";
  if (static_cast<std::uint64_t>(m.first_layer.value) + m.layers > kMaxLayers) return "layers: out of range";
  if (std::uint64_t{m.first_token} + m.tokens > UINT32_MAX) return "tokens: out of range";
  return nullptr;
}

}  // namespace sida::proto
