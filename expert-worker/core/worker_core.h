// Decides what an expert-worker does: whom it serves, which dispatches it takes, what is read from disk and evicted,
// and in which order it computes. No I/O, no clock, no bytes.
//
// Order of work: dispatches in order of arrival; within and across them, experts that are resident are computed while
// missing ones are read. What is demanded is read before what is only expected, and
// nothing makes room for what is needed later than itself. Every admitted dispatch ends once: with
// a result, a failure, or silently when its router cancelled it or went away. Work that was not started by its deadline
// is not started: the router has given it up by then.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/runtime/clock.h"
#include "expert-worker/core/job.h"
#include "expert-worker/core/router_peers.h"
#include "expert-worker/core/worker_actions.h"
#include "expert-worker/residency/expectations.h"
#include "expert-worker/residency/share.h"
#include "expert-worker/residency/slot_table.h"
#include "expert-worker/residency/wanted_often.h"

namespace sida::worker {

// One thread. Every method takes the time and returns what to do, in order.
class WorkerCore {
 public:
  WorkerCore(WorkerIdentity identity, WorkerLimits limits, TimePoint now);

  WorkerActions control_message(PeerId peer, const proto::Message& message, TimePoint now);
  // The rows beside a Dispatch were checked against its shape. `deadline`: of the message's header.
  WorkerActions tensor_message(PeerId peer, const proto::Message& message, TimePoint now,
                               TimePoint deadline = TimePoint::max());
  // Bytes that did not decode. kMismatch (another protocol version) is answered, so that somebody reads why.
  WorkerActions malformed(PeerId peer, const Error& error, bool on_control_link);
  // The tensor channel says that the peer is gone: its jobs are dropped.
  WorkerActions tensor_peer_gone(PeerId peer, TimePoint now);

  WorkerActions load_ended(SlotId slot, const Result<void>& outcome, std::chrono::microseconds took, TimePoint now);
  WorkerActions compute_ended(JobId job, std::span<const GroupWork> groups, std::chrono::microseconds took,
                              TimePoint now);

  // `progress`: loop turns of the compute thread, for heartbeats.
  WorkerActions tick(std::uint64_t progress, TimePoint now);
  [[nodiscard]] TimePoint next_tick() const { return next_tick_; }

  // What the links refused since the start; routers are told when it changes.
  void links_refused(std::uint64_t unknown_keys, std::uint64_t handshakes);

  // Takes nothing new for the rest of its life. When a router sends Draining, only until one sends Resume. drained()
  // when everything admitted has ended.
  WorkerActions drain(TimePoint now);
  [[nodiscard]] bool drained() const { return draining_ && jobs_.empty(); }

  // Whether what routers advise is read ahead: on() says so.
  [[nodiscard]] const PrefetchAdmission& admission() const { return admission_; }

  [[nodiscard]] const WorkerCounters& counters() const { return counters_; }
  [[nodiscard]] const SlotTable& slots() const { return slots_; }
  [[nodiscard]] std::size_t jobs() const { return jobs_.size(); }
  // The compute thread has work.
  [[nodiscard]] bool computing() const { return computing_ > 0; }

 private:
  struct Loading {
    ExpertKey key;
    bool demanded = false;
    bool advised = false;
    bool cancelled = false;   // Its end is on its way.
    TimePoint demanded_at{};  // If it was advised before.
    [[nodiscard]] bool advised_only() const { return advised && !demanded && !cancelled; }
  };
  // What is measured while nothing is read ahead: the expert that would be, and how long the disk had time for it.
  struct Imagined {
    ExpertKey key;
    Duration read{0};
  };

  void greet(PeerId peer, const proto::Hello& hello, bool on_control_link, TimePoint now, WorkerActions& actions);
  void admit(PeerId peer, const proto::Dispatch& dispatch, TimePoint deadline, WorkerActions& actions);
  [[nodiscard]] Result<void> may_admit(const proto::Dispatch& dispatch) const;
  void end_overdue(TimePoint now, WorkerActions& actions);
  void cancel(RouterId router, const proto::DispatchId& id, WorkerActions& actions);
  void advance(TimePoint now, WorkerActions& actions);
  void pin_resident(Job& job, TimePoint now);
  bool read_missing(Job& job, TimePoint now, WorkerActions& actions);
  void tell_demanded(ExpertKey key, bool behind_advice);
  void demand_load(ExpertKey key, TimePoint now, WorkerActions& actions);
  void met(ExpertKey prefetched);
  void give_up_one_load(WorkerActions& actions);
  void cancel_useless(WorkerActions& actions);
  void cancel_load(SlotId slot, Loading& load, WorkerActions& actions);
  void start_computes(WorkerActions& actions);
  void load_expected(TimePoint now, WorkerActions& actions);
  void imagine();
  void imagine_on(TimePoint now);
  enum class Need { kDemand, kAdvice, kShare };
  bool begin_load(ExpertKey key, Need need, WorkerActions& actions);
  std::optional<SlotId> take_slot(ExpertKey key, Need need);
  [[nodiscard]] std::optional<ExpertKey> victim_for(ExpertKey key, Need need) const;
  void set_draining(bool draining, WorkerActions& actions);
  void advise(PeerId peer, const proto::Prefetch& prefetch, TimePoint now);
  void take_advised(const Loading& load, std::chrono::microseconds took, TimePoint now);
  void estimate(Job& job, WorkerActions& actions);
  void end_job(JobId id, WorkerActions& actions);
  void finish_if_done(JobId id, WorkerActions& actions);
  void drop_if_idle(JobId id, WorkerActions& actions);
  void refresh_share();
  [[nodiscard]] proto::Residency residency() const;

  const WorkerIdentity identity_;
  const WorkerLimits limits_;
  RouterPeers peers_;
  SlotTable slots_;
  std::unique_ptr<EvictionPolicy> eviction_;
  WantedOften wanted_;
  Share share_;
  Expectations expected_;
  PrefetchAdmission admission_;
  std::optional<Imagined> imagined_;
  std::unordered_set<ExpertKey> prefetched_;  // Resident because of advice, and not demanded yet.
  // What was evicted for advice, and for which expert, as long as that one was not demanded. At most one entry per
  // expert of the model.
  std::unordered_map<ExpertKey, ExpertKey> displaced_;
  std::map<JobId, Job> jobs_;  // In order of arrival.
  std::map<proto::DispatchId, JobId> by_dispatch_;
  std::uint64_t last_job_ = 0;
  std::uint64_t job_bytes_ = 0;
  std::map<SlotId, Loading> loading_;
  std::size_t foreign_ = 0;   // Experts in slots, or on their way there, that are not of its share.
  bool was_reading_ = false;  // Since `advanced_`, when last something happened.
  TimePoint advanced_{};
  bool demand_waits_ = false;  // For a read to begin, since reads or slots are all taken.
  std::size_t computing_ = 0;
  std::chrono::microseconds load_time_;  // Moving average, of one expert.
  TimePoint foreign_until_{};
  bool has_share_ = false;
  bool draining_ = false;
  bool leaving_ = false;  // Draining, and no router can end that.
  bool residency_changed_ = true;
  bool told_prefetching_ = false;
  TimePoint share_due_;
  TimePoint next_tick_;
  TimePoint next_residency_;
  WorkerCounters counters_;
  proto::LinkFaults faults_;  // But for malformed messages.
};

}  // namespace sida::worker
