// Every message of sida. codec.h encodes them; docs/protocol.md shows who sends what when.
//
// A message on a socket is one envelope frame (msgpack, at most kMaxEnvelopeBytes) and, for Dispatch and Result, one
// frame of raw rows whose length must equal TensorShape's. Tensors never go through msgpack.
// Everything here is plain data; nothing received is ever executed.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/tensor/dtype.h"

namespace sida::proto {

inline constexpr std::uint16_t kProtocolVersion = 6;

// Limits, enforced by the codec in both directions. What happens beyond: kMalformedMessage, counted by the receiver.
inline constexpr std::size_t kMaxEnvelopeBytes = 4U << 20U;
inline constexpr std::size_t kMaxRowsBytes = 256U << 20U;  // One dispatch; the router splits above this.
inline constexpr std::size_t kMaxStringBytes = 4096;
inline constexpr std::size_t kMaxNameBytes = 128;      // Of a process, a version, a kernel.
inline constexpr std::size_t kMaxMembers = 1024;       // A roster of this many, all with kMaxLayers, fits an envelope.
inline constexpr std::size_t kMaxGroups = 65536;       // (expert, count) pairs of one dispatch.
inline constexpr std::size_t kMaxTokens = 65536;       // Token ids of one Predict.
inline constexpr std::size_t kMaxEntries = 1U << 19U;  // Expert ids in one HashTableEntries message: 3 MiB.
inline constexpr std::size_t kMaxPrefetchItems = 65536;
inline constexpr std::size_t kMaxResident = 65536;  // Experts of one Residency.
inline constexpr std::size_t kMaxLayers = 1024;
inline constexpr std::size_t kMaxExperts = 32768;  // Of one layer: ids fit HashTableEntries' 16 bits.
inline constexpr std::size_t kMaxChannels = 8;
inline constexpr std::size_t kMaxExpertsPerToken = 8;  // k.
inline constexpr std::chrono::hours kMaxDuration{24 * 7};

using Fingerprint = std::array<std::uint8_t, 32>;

// W3C trace context; all zero when the request carries none.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  std::uint8_t flags = 0;
  bool operator==(const TraceContext&) const = default;
};

// In front of every message. The deadline travels as remaining time, since clocks differ. Zero: no deadline.
struct Header {
  TraceContext trace;
  std::chrono::microseconds remaining{0};
  bool operator==(const Header&) const = default;
};

enum class ChannelKind : std::uint8_t { kZeroMq = 1, kInProcess = 2, kSharedMemory = 3, kNccl = 4 };

// As people read it: "shared-memory".
constexpr std::string_view name(ChannelKind kind) {
  switch (kind) {
    case ChannelKind::kZeroMq:
      return "zeromq";
    case ChannelKind::kInProcess:
      return "in-process";
    case ChannelKind::kSharedMemory:
      return "shared-memory";
    case ChannelKind::kNccl:
      return "nccl";
  }
  return "unknown";
}

// Names one attempt to have one part of one layer call computed.
struct DispatchId {
  RouterId router;
  StepId step;
  LayerId layer;
  std::uint32_t part = 0;     // Counts up within (step, layer); a resend split over two workers makes new parts.
  std::uint32_t attempt = 0;  // From 0.
  auto operator<=>(const DispatchId&) const = default;
};

struct TensorShape {
  DType dtype = DType::kFloat32;
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{rows} * columns * bytes_per_element(dtype); }
  bool operator==(const TensorShape&) const = default;
};

// First message on every link, from the router. The peer answers Welcome or Refuse.
struct Hello {
  RouterId router;
  std::string software_version;
  Fingerprint model{};
  DType compute_dtype = DType::kFloat32;  // Of rows and expert weights.
  std::vector<ChannelKind> channels;      // Offered, best first.
  bool operator==(const Hello&) const = default;
};

// What a worker can hold and do; the weights of placement.
struct Capacity {
  std::uint64_t memory_budget_bytes = 0;  // For expert weights.
  std::uint64_t expert_bytes = 0;         // One expert in the kernel's layout.
  std::uint32_t slots = 0;                // Experts that fit at once.
  double experts_per_second = 0;          // Measured at start: one-row expert calls from resident weights.
  std::uint64_t credit_bytes = 0;         // Row bytes that one router may have in flight to this worker.
  bool operator==(const Capacity&) const = default;
};

struct Welcome {
  WorkerId worker;   // Also of a predictor: its incarnation.
  std::string name;  // As configured: "worker-0". Unique in a cluster; placement hashes it.
  std::string software_version;
  Fingerprint model{};
  Fingerprint predictor{};        // Of the hash function; zero from a worker.
  std::uint64_t numerics_id = 0;  // compute::Capabilities::numerics_id; zero from a predictor.
  Capacity capacity;              // Zero from a predictor.
  // Layers whose experts its store holds; of a predictor: that it names experts of. Empty: all of them.
  std::vector<LayerId> covered_layers;
  ChannelKind channel = ChannelKind::kZeroMq;
  std::string data_endpoint;           // Where the tensor channel connects.
  std::string shared_memory_endpoint;  // The same through shared memory, for routers on its host; empty: not offered.
  std::string kernel;                  // "cpu/avx512bf16", for people.
  std::uint32_t process_id = 0;        // For people and `sida status`; 0: unknown.
  bool operator==(const Welcome&) const = default;
};

// The link cannot work; the message says why and what to do. The router shows it and does not retry until restart.
struct Refuse {
  ErrorCode code = ErrorCode::kMismatch;
  std::string message;
  bool operator==(const Refuse&) const = default;
};

struct Member {
  WorkerId worker;
  std::string name;
  Capacity capacity;
  std::uint64_t numerics_id = 0;
  std::vector<LayerId> covered_layers;
  bool draining = false;
  bool operator==(const Member&) const = default;
};

// Who is alive, as this router sees it. Workers derive their own share from it with the same pure function as routers.
struct Roster {
  std::uint64_t epoch = 0;  // Counts up per router.
  std::vector<Member> members;
  bool operator==(const Roster&) const = default;
};

// Advice: a step of a sequence will need these experts, in this order. It ends the advice for earlier steps of the
// sequence; Forget ends all of it. Ignored freely.
struct Prefetch {
  struct Item {
    ExpertKey key;
    std::uint32_t rows = 0;  // Predicted.
    bool operator==(const Item&) const = default;
  };
  SequenceId sequence;
  std::uint32_t step = 0;  // 0: encoding its source; then its decoder steps. Those are needed before all step 0.
  std::vector<Item> items;
  bool operator==(const Prefetch&) const = default;
};

// Rows for experts of one layer, grouped: the first groups[0].rows rows are for groups[0].expert, and so on.
struct Dispatch {
  struct Group {
    ExpertId expert;
    std::uint32_t rows = 0;
    bool operator==(const Group&) const = default;
  };
  DispatchId id;
  std::vector<Group> groups;  // Sum of rows equals shape.rows.
  TensorShape shape;
  bool operator==(const Dispatch&) const = default;
};

struct Cancel {
  DispatchId id;
  bool operator==(const Cancel&) const = default;
};

// Same rows, same order as the dispatch.
struct DispatchResult {
  DispatchId id;
  TensorShape shape;
  std::uint32_t hits = 0;    // Experts that were resident.
  std::uint32_t misses = 0;  // Experts read from disk for this dispatch.
  std::chrono::microseconds compute{0};
  bool operator==(const DispatchResult&) const = default;
};

// The worker cannot do this dispatch (disk error, damaged expert, draining). The router sends it elsewhere.
struct DispatchFailure {
  DispatchId id;
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  bool operator==(const DispatchFailure&) const = default;
};

// The dispatch waits for a read from disk; counts from now and extends the deadline, once per dispatch.
struct Estimate {
  DispatchId id;
  std::chrono::microseconds remaining{0};
  bool operator==(const Estimate&) const = default;
};

// What a server refused since it started.
struct LinkFaults {
  std::uint64_t malformed_messages = 0;
  std::uint64_t unknown_keys = 0;  // Connections and messages of peers whose key is not allowed.
  std::uint64_t handshakes = 0;    // Connections that never got so far: not encrypted, or for another key.
  bool operator==(const LinkFaults&) const = default;
};

// What is in fast memory now, whole; sent on change, at most a few times a second.
struct Residency {
  std::vector<ExpertKey> resident;
  std::uint64_t memory_bytes = 0;
  std::uint64_t hits = 0;    // Since start.
  std::uint64_t misses = 0;  // Since start.
  std::uint64_t rows_served = 0;
  std::uint64_t prefetches = 0;            // Experts read because of a Prefetch. Of these,
  std::uint64_t prefetches_useful = 0;     // resident when first demanded;
  std::uint64_t prefetches_late = 0;       // still on their way then;
  std::uint64_t prefetches_wasted = 0;     // evicted before anybody wanted them;
  std::uint64_t prefetches_cancelled = 0;  // not read to the end.
  std::uint64_t reads = 0;                 // Experts read, for whatever reason.
  bool prefetching = true;                 // False: it does not pay, or is switched off.
  LinkFaults faults;
  bool operator==(const Residency&) const = default;
};

// From a worker: it takes nothing new. From a router: an operator wants it to.
struct Draining {
  bool operator==(const Draining&) const = default;
};

// Both ways, at kHeartbeatInterval. `progress` counts loop turns of the thread that does the work: while `busy` it must
// move, else the process is stuck and counts as down, whatever its socket says.
struct Heartbeat {
  std::uint64_t progress = 0;
  bool busy = false;
  bool operator==(const Heartbeat&) const = default;
};

// A new sequence: its source tokens. Entries for all encoder layers are wanted, k experts each.
struct Predict {
  SequenceId sequence;
  std::vector<std::int32_t> tokens;
  std::uint8_t k = 1;
  bool operator==(const Predict&) const = default;
};

// The decoder's next input token at `position` (from 0, the start token's).
struct Advance {
  SequenceId sequence;
  std::uint32_t position = 0;
  std::int32_t token = 0;
  std::uint8_t k = 1;
  bool operator==(const Advance&) const = default;
};

// The sequence has ended. To a predictor and to workers.
struct Forget {
  SequenceId sequence;
  bool operator==(const Forget&) const = default;
};

// Hash-table entries for tokens [first_token, first_token + tokens) of a sequence, in MoE layers
// [first_layer, first_layer + layers): row-major [layers][tokens][k]. Confidence in [0, 1].
struct HashTableEntries {
  SequenceId sequence;
  Fingerprint model{};
  Fingerprint predictor{};
  LayerId first_layer;
  std::uint32_t layers = 0;
  std::uint32_t first_token = 0;
  std::uint32_t tokens = 0;
  std::uint8_t k = 1;
  std::vector<std::int16_t> experts;  // -1: no prediction.
  std::vector<float> confidences;     // Same length.
  bool operator==(const HashTableEntries&) const = default;
};

// What a predictor holds now, and has done and spent since its start; sent to every router a few times a second.
struct PredictorReport {
  std::uint64_t sequences = 0;    // Held, of all routers.
  std::uint64_t state_bytes = 0;  // At most, of those.
  std::uint64_t sources = 0;      // Answered,
  std::uint64_t source_tokens = 0;
  std::uint64_t source_batches = 0;
  std::uint64_t steps = 0;          // Decoder tokens answered.
  std::uint64_t entries = 0;        // (token, MoE layer) pairs sent.
  std::uint64_t source_micros = 0;  // Time taken by sources,
  std::uint64_t step_micros = 0;    // and by decoder tokens.
  std::uint64_t cpu_micros = 0;     // Of the whole process.
  std::uint64_t uptime_micros = 0;
  std::uint64_t expired = 0;  // Sequences given up: idle for too long, or to make room.
  std::uint64_t dropped = 0;  // Sources and decoder tokens not answered, because too many waited.
  LinkFaults faults;
  bool operator==(const PredictorReport&) const = default;
};

// The end of Draining: from a router it asks the worker, from a worker it tells that it takes rows again.
struct Resume {
  bool operator==(const Resume&) const = default;
};

// The index in this list is the type number on the wire: append only.
using Message =
    std::variant<Hello, Welcome, Refuse, Roster, Prefetch, Dispatch, Cancel, DispatchResult, DispatchFailure, Estimate,
                 Residency, Draining, Heartbeat, Predict, Advance, Forget, HashTableEntries, PredictorReport, Resume>;

struct Envelope {
  Header header;
  Message message;
  bool operator==(const Envelope&) const = default;
};

}  // namespace sida::proto
