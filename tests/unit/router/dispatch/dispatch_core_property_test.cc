// Random histories with loss, freezes, late duplicates, failures, refused sends, drains and joins, against the promises
// of DispatchCore.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/unit/router/dispatch/dispatch_fixture.h"

namespace sida::router {
namespace {

using std::chrono::milliseconds;

struct Started {
  std::vector<std::int32_t> experts;
  TimePoint deadline;
  std::vector<int> accepted;
  int ends = 0;
};

class RandomHistory {
 public:
  explicit RandomHistory(std::uint64_t seed) : random_(seed) {
    limits_.part_bytes_max = 4 * kRowBytes;
    limits_.attempts_max = 200;
    core_.emplace(kRouter, kRowBytes, kExpertsTotal, limits_);
    for (int i = 0; i < 3; ++i) join();
  }

  void go() {
    for (int turn = 0; turn < 300; ++turn) {
      random_event();
      pass_time(milliseconds(pick(0, 200)));
    }
    finish();
    for (const auto& [id, call] : calls_) EXPECT_EQ(call.ends, 1) << "call " << id.value;
    EXPECT_LE(static_cast<double>(core_->counters().resends_late),
              limits_.resend_budget * static_cast<double>(core_->counters().parts_sent));
    for (const auto& member : members_) EXPECT_EQ(core_->bytes_in_flight(member.worker), 0U);
    EXPECT_EQ(core_->next_deadline(), TimePoint::max());
  }

 private:
  std::uint64_t pick(std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>(low, high)(random_);
  }

  void random_event() {
    switch (pick(0, 11)) {
      case 0:
      case 1:
      case 2:
        start();
        break;
      case 3:
        if (!members_.empty()) lose(pick(0, members_.size() - 1));
        break;
      case 4:
        if (members_.size() < 5) join();
        break;
      case 5:
        if (!members_.empty()) members_[pick(0, members_.size() - 1)].draining = true;
        take(core_->members_changed(members_, now_));
        break;
      case 6:
        if (!calls_.empty()) cancel(CallId{pick(1, calls_.size())});
        break;
      default:
        for (int i = 0; i < 3; ++i) answer_something();
    }
  }

  void start() {
    const CallId id{calls_.size() + 1};
    Started call;
    for (std::uint64_t row = pick(1, 20); row > 0; --row) {
      call.experts.push_back(static_cast<std::int32_t>(pick(0, 8)) - 1);
    }
    call.accepted.assign(call.experts.size(), 0);
    call.deadline = pick(0, 2) == 0 ? now_ + milliseconds(pick(1, 10'000)) : TimePoint::max();
    const auto& started = calls_.emplace(id, call).first->second;
    take(core_->start(id, StepId{1}, kLayer, started.experts, started.deadline, now_));
  }

  void cancel(CallId id) {
    const bool live = calls_.at(id).ends == 0;
    const DispatchActions actions = core_->cancel(id, now_);
    if (live) ++calls_.at(id).ends;
    take(actions);
  }

  void join() {
    members_.push_back(make_member(++last_worker_, pick(1, 2)));
    members_.back().capacity.credit_bytes = pick(0, 20) * kRowBytes;
    take(core_->members_changed(members_, now_));
  }

  void lose(std::uint64_t index) {
    members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(index));
    take(core_->members_changed(members_, now_));
  }

  void answer_something() {
    if (sent_.empty()) return;
    const std::size_t index = pick(0, sent_.size() - 1);
    const Part part = sent_[index];
    const bool keep = pick(0, 5) == 0;  // It may be answered twice.
    if (!keep) sent_.erase(sent_.begin() + static_cast<std::ptrdiff_t>(index));
    switch (pick(0, 9)) {
      case 0:
        take(core_->failure(part.worker, {part.id, ErrorCode::kIo, "no"}, now_));
        break;
      case 1:
        take(core_->send_refused(part.id, now_));
        break;
      case 2: {
        auto wrong = result_of(part);
        wrong.shape.columns = 3;
        take(core_->result(part.worker, wrong, now_));
        break;
      }
      case 3:
        core_->estimate(part.worker, {part.id, milliseconds(pick(0, 5000))}, now_);
        break;
      default:
        take(core_->result(part.worker, result_of(part), now_));
    }
  }

  // The faults stop: everything must end, with a worker that answers.
  void finish() {
    for (auto& member : members_) member.draining = false;
    if (members_.empty()) join();
    take(core_->members_changed(members_, now_));
    for (int turn = 0; turn < 500 && core_->next_deadline() != TimePoint::max(); ++turn) {
      std::vector<Part> answered;
      answered.swap(sent_);
      for (const Part& part : answered) take(core_->result(part.worker, result_of(part), now_));
      pass_time(milliseconds(500));
    }
  }

  void take(const DispatchActions& actions) {
    for (const DispatchAction& action : actions) std::visit([this](const auto& a) { on(a); }, action);
  }

  void pass_time(Duration time) {
    now_ += time;
    take(core_->tick(now_));
    for (const auto& [id, call] : calls_) {
      EXPECT_TRUE(call.ends > 0 || call.deadline > now_) << "call " << id.value << " waits past its deadline";
    }
  }

  void on(const SendPart& send) {
    const Part& part = send.part;
    const auto member = std::ranges::find(members_, part.worker, &proto::Member::worker);
    ASSERT_NE(member, members_.end()) << "sent to a worker that is gone";
    EXPECT_FALSE(member->draining);
    EXPECT_TRUE(ids_.insert(part.id).second) << "id used twice";
    std::size_t next = 0;
    for (const auto& group : part.groups) {
      for (std::uint32_t i = 0; i < group.rows; ++i) {
        const auto row = static_cast<std::size_t>(part.rows.at(next++));
        EXPECT_EQ(calls_.at(part.call).experts.at(row), group.expert.value);
      }
    }
    EXPECT_EQ(next, part.rows.size());
    EXPECT_LE(next * kRowBytes, limits_.part_bytes_max);
    const std::uint64_t bytes = core_->bytes_in_flight(part.worker);
    EXPECT_LE(bytes, std::max<std::uint64_t>(member->capacity.credit_bytes, next * kRowBytes));
    sent_.push_back(part);
  }
  void on(const AcceptRows& accept) {
    EXPECT_EQ(calls_.at(accept.call).ends, 0);
    for (std::int32_t row : accept.rows) {
      if (row < 0) continue;
      EXPECT_EQ(++calls_.at(accept.call).accepted.at(static_cast<std::size_t>(row)), 1);
    }
  }
  void on(const CancelPart& cancel) { EXPECT_TRUE(ids_.contains(cancel.id)); }
  void on(const CompleteCall& complete) {
    Started& call = calls_.at(complete.call);
    ++call.ends;
    for (std::size_t row = 0; row < call.experts.size(); ++row) {
      EXPECT_EQ(call.accepted[row], call.experts[row] < 0 ? 0 : 1);
    }
  }
  void on(const FailCall& fail) {
    Started& call = calls_.at(fail.call);
    ++call.ends;
    if (fail.error.code == ErrorCode::kDeadlineExceeded) {
      EXPECT_LE(call.deadline, now_);
    } else {
      EXPECT_EQ(fail.error.code, ErrorCode::kUnavailable);
      const bool covered = std::ranges::any_of(members_, [](const auto& member) { return !member.draining; });
      EXPECT_FALSE(covered) << "failed while a worker lives: " << fail.error.message;
    }
  }

  std::mt19937_64 random_;
  DispatchLimits limits_;
  std::optional<DispatchCore> core_;
  TimePoint now_ = kStart;
  std::vector<proto::Member> members_;
  std::uint64_t last_worker_ = 0;
  std::map<CallId, Started> calls_;
  std::vector<Part> sent_;
  std::set<proto::DispatchId> ids_;
};

TEST(DispatchCoreProperty, EveryCallEndsOnceAndEveryRowIsAcceptedOnce) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomHistory(seed).go();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace sida::router
