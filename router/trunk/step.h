// What router agent and trunk agent say to each other: plain data in both directions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/proto/messages.h"
#include "common/runtime/clock.h"
#include "router/core/request.h"
#include "router/dispatch/dispatch_core.h"
#include "router/routing/routing_mode.h"
#include "router/routing/table_rows.h"
#include "router/trunk/layer_routing.h"

namespace sida::router {

// A sequence that joins with this step: it is encoded now and, unless it is classified, decoded from a later step on.
struct NewSequence {
  SequenceId id;
  std::vector<std::int32_t> source;
  SamplingParams sampling;           // Of a generating sequence.
  std::vector<std::int32_t> target;  // Not empty: teacher-forced scoring of these.
  std::optional<std::size_t> head;   // Given: classification by this one of TrunkWeights::heads().
  RoutingMode routing = RoutingMode::kExact;
  bool record_gates = false;
};

// One turn of the trunk: encoder work and decoder steps of several sequences, mixed.
struct TrunkStep {
  StepId id;
  std::vector<SequenceId> release;  // Forget these first; unknown ids are ignored.
  std::vector<NewSequence> encode;
  std::vector<SequenceId> decode;  // Encoded in an earlier step.
  // The hash table's entries for this step's rows, of sequences that are not routed exactly. What comes later is too
  // late for this step, so that a result does not depend on when within a step it comes.
  std::map<SequenceId, TableRows> tables;
  TimePoint deadline = TimePoint::max();
};

// The workers that have rows or, unless they drain, may be given some, and where their tensor channels connect.
struct TrunkWorker {
  proto::Member member;
  std::string data_endpoint;
  std::string shared_memory_endpoint;  // Empty: not offered.
  std::string key_name;                // Whose public keys it answers with, where the link is encrypted.
};

// What carries the rows of each live worker.
using WorkerChannels = std::map<WorkerId, proto::ChannelKind>;

struct TrunkMembers {
  std::vector<TrunkWorker> workers;
};

struct TrunkStop {};

using TrunkCommand = std::variant<TrunkStep, TrunkMembers, TrunkStop>;  // Of members only the newest matter.

struct SequenceOutcome {
  SequenceId id;
  std::optional<Error> error;  // The sequence is gone.
  bool decoded = false;        // Else it was encoded.
  bool finished = false;       // The trunk has forgotten it.
  FinishReason finish_reason = FinishReason::kLength;
  std::optional<GeneratedToken> token;  // Of a decode step that generates.
  std::vector<BeamResult> beams;        // Of a beam search that has finished.
  std::vector<float> target_logprobs;   // Of one that scores.
  std::vector<float> logits;            // Of a sequence that is classified.
  std::vector<LayerRouting> routing;    // Of this step's stack.
};

struct StepDone {
  StepId id;
  std::vector<SequenceOutcome> outcomes;
  DispatchCounters dispatch;             // Since start.
  std::uint64_t malformed_messages = 0;  // Since start, on tensor channels.
};

}  // namespace sida::router
