#include "tests/unit/expert-worker/worker_core_fixture.h"

namespace sida::worker {
namespace {

TEST_F(WorkerCoreTest, WelcomesARouterOfTheSameModel) {
  core.emplace(identity(4), WorkerLimits{}, now);
  EXPECT_THAT(sent<proto::Welcome>(core->control_message(kControl, hello(), now)), SizeIs(1));
}

TEST_F(WorkerCoreTest, RefusesARouterOfAnotherModelAndSaysWhy) {
  core.emplace(identity(4), WorkerLimits{}, now);
  auto other = hello();
  other.model[0] = 0xab;
  const auto refusals = sent<proto::Refuse>(core->control_message(kControl, other, now));
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_EQ(refusals[0].code, ErrorCode::kMismatch);
  EXPECT_THAT(refusals[0].message, HasSubstr("ab0000000000"));
}

TEST_F(WorkerCoreTest, RefusesARouterThatComputesInAnotherDtype) {
  core.emplace(identity(4), WorkerLimits{}, now);
  auto other = hello();
  other.compute_dtype = DType::kBFloat16;
  const auto refusals = sent<proto::Refuse>(core->control_message(kControl, other, now));
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_THAT(refusals[0].message, HasSubstr("bf16"));
}

TEST_F(WorkerCoreTest, RefusesAnotherProtocolVersion) {
  core.emplace(identity(4), WorkerLimits{}, now);
  const auto actions = core->malformed(kControl, {ErrorCode::kMismatch, "protocol version 9"}, true);
  EXPECT_THAT(sent<proto::Refuse>(actions), SizeIs(1));
}

TEST_F(WorkerCoreTest, CountsAndDropsWhatIsMalformed) {
  begin(4);
  EXPECT_THAT(core->malformed(kControl, {ErrorCode::kMalformedMessage, "no"}, true), IsEmpty());
  EXPECT_THAT(core->control_message(PeerId{99}, proto::Roster{}, now), IsEmpty()) << "it did not greet";
  auto foreign = dispatch({{ExpertId{0}, 1}});
  foreign.id.router = RouterId{8};
  EXPECT_THAT(send(foreign), IsEmpty());
  EXPECT_EQ(core->counters().malformed_messages, 3U);
}

TEST_F(WorkerCoreTest, SendsBackRowsOfARouterThatDidNotGreet) {
  core.emplace(identity(4), WorkerLimits{}, now);
  const auto failures = sent<proto::DispatchFailure>(send(dispatch({{ExpertId{0}, 1}})));
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_EQ(failures[0].code, ErrorCode::kUnavailable);
}

TEST_F(WorkerCoreTest, TakesRowsWhoseGreetingWasLostFromARouterThatItKnows) {
  core.emplace(identity(4), WorkerLimits{}, now);
  core->control_message(kControl, hello(), now);
  EXPECT_THAT(all<AdmitJob>(send(dispatch({{ExpertId{0}, 1}}))), SizeIs(1));
}

TEST_F(WorkerCoreTest, ReadsAMissingExpertThenComputesThenAnswers) {
  begin(4);
  const auto work = dispatch({{ExpertId{3}, 2}});
  const auto first = send(work);
  ASSERT_THAT(all<AdmitJob>(first), SizeIs(1));
  ASSERT_THAT(sent<proto::Estimate>(first), SizeIs(1));
  ASSERT_THAT(all<LoadExpert>(first), SizeIs(1));
  EXPECT_EQ(all<LoadExpert>(first)[0].key, (ExpertKey{kLayer, ExpertId{3}}));

  const auto second = all<ComputeGroups>(loaded(all<LoadExpert>(first)[0]));
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].groups[0].rows, 2U);

  const auto done = all<FinishJob>(computed(second[0]));
  ASSERT_THAT(done, SizeIs(1));
  EXPECT_EQ(done[0].peer, kTensor);
  EXPECT_EQ(done[0].result.id, work.id);
  EXPECT_EQ(done[0].result.shape, work.shape);
  EXPECT_EQ(done[0].result.misses, 1U);
  EXPECT_EQ(done[0].result.hits, 0U);
}

TEST_F(WorkerCoreTest, ComputesWhatIsResidentWhileItReadsTheRest) {
  begin(4);
  make_resident(1);
  const auto actions = send(dispatch({{ExpertId{0}, 2}, {ExpertId{1}, 3}}));
  const auto computes = all<ComputeGroups>(actions);
  ASSERT_THAT(computes, SizeIs(1));
  ASSERT_THAT(computes[0].groups, SizeIs(1));
  EXPECT_EQ(computes[0].groups[0].first_row, 2U);
  ASSERT_THAT(all<LoadExpert>(actions), SizeIs(1));
  EXPECT_THAT(all<FinishJob>(computed(computes[0])), IsEmpty());
  const auto rest = all<ComputeGroups>(loaded(all<LoadExpert>(actions)[0]));
  ASSERT_THAT(rest, SizeIs(1));
  const auto done = all<FinishJob>(computed(rest[0]));
  ASSERT_THAT(done, SizeIs(1));
  EXPECT_EQ(done[0].result.hits, 1U);
  EXPECT_EQ(done[0].result.misses, 1U);
}

TEST_F(WorkerCoreTest, ServesALaterDispatchThatHitsBeforeAnEarlierOneThatMisses) {
  begin(4);
  make_resident(1);
  send(dispatch({{ExpertId{0}, 1}}));
  EXPECT_THAT(all<ComputeGroups>(send(dispatch({{ExpertId{1}, 1}}))), SizeIs(1));
}

TEST_F(WorkerCoreTest, AnswersADispatchLargerThanItsMemory) {
  begin(1);
  auto actions = send(dispatch({{ExpertId{0}, 1}, {ExpertId{1}, 1}, {ExpertId{2}, 1}}));
  std::size_t loads = 0;
  while (all<FinishJob>(actions).empty()) {
    if (const auto load = all<LoadExpert>(actions); !load.empty()) {
      ++loads;
      actions = loaded(load[0]);
    } else {
      const auto work = all<ComputeGroups>(actions);
      ASSERT_THAT(work, SizeIs(1));
      actions = computed(work[0]);
    }
  }
  EXPECT_EQ(loads, 3U);
}

TEST_F(WorkerCoreTest, AnswersInWavesADispatchOverAllExpertsOfALayerWithTwoSlots) {
  begin(2);
  std::vector<proto::Dispatch::Group> groups;
  for (std::int32_t expert = 0; expert < 8; ++expert) groups.push_back({ExpertId{expert}, 2});
  WorkerActions todo = send(dispatch(groups));
  std::size_t read = 0;
  std::size_t computed_rows = 0;
  std::size_t finished = 0;
  while (!todo.empty()) {
    WorkerActions next;
    const auto add = [&](WorkerActions more) { next.insert(next.end(), more.begin(), more.end()); };
    for (const LoadExpert& load : all<LoadExpert>(todo)) {
      ASSERT_LE(core->slots().used(), 2U);
      ++read;
      add(loaded(load));
    }
    for (const ComputeGroups& work : all<ComputeGroups>(todo)) {
      for (const GroupWork& group : work.groups) computed_rows += group.rows;
      add(computed(work));
    }
    finished += all<FinishJob>(todo).size();
    todo = std::move(next);
  }
  EXPECT_EQ(read, 8U);
  EXPECT_EQ(computed_rows, 16U);
  EXPECT_EQ(finished, 1U);
}

TEST_F(WorkerCoreTest, EstimatesOncePerDispatchByTheReadsInFront) {
  begin(8, {.first_load_time = milliseconds(10)});
  EXPECT_EQ(sent<proto::Estimate>(send(dispatch({{ExpertId{0}, 1}})))[0].remaining, milliseconds(10));
  const auto second = sent<proto::Estimate>(send(dispatch({{ExpertId{1}, 1}, {ExpertId{2}, 1}, {ExpertId{3}, 1}})));
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_GE(second[0].remaining, milliseconds(30));
  EXPECT_LE(second[0].remaining, milliseconds(40));
}

TEST_F(WorkerCoreTest, LimitsReadsUnderWay) {
  begin(8, {.loads_in_flight_max = 2});
  const auto actions = send(dispatch({{ExpertId{0}, 1}, {ExpertId{1}, 1}, {ExpertId{2}, 1}}));
  const auto loads = all<LoadExpert>(actions);
  ASSERT_THAT(loads, SizeIs(2));
  EXPECT_THAT(all<LoadExpert>(loaded(loads[0])), SizeIs(1));
}

TEST_F(WorkerCoreTest, FailsADispatchWhoseExpertIsDamagedAndServesTheNext) {
  begin(4);
  const auto damaged = dispatch({{ExpertId{0}, 1}});
  const auto load = all<LoadExpert>(send(damaged));
  ASSERT_THAT(load, SizeIs(1));
  const auto actions = core->load_ended(load[0].slot, fail(ErrorCode::kIo, "bad sector"), microseconds(1), now);
  const auto failures = sent<proto::DispatchFailure>(actions);
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_EQ(failures[0].id, damaged.id);
  EXPECT_EQ(failures[0].code, ErrorCode::kIo);
  EXPECT_THAT(all<DropJob>(actions), SizeIs(1));
  EXPECT_THAT(all<LoadExpert>(send(dispatch({{ExpertId{0}, 1}}))), SizeIs(1)) << "it is tried again";
}

TEST_F(WorkerCoreTest, KeepsTheRowsOfAFailedDispatchUntilItsComputationEnds) {
  begin(4);
  make_resident(1);
  const auto actions = send(dispatch({{ExpertId{0}, 1}, {ExpertId{1}, 1}}));
  const auto failed =
      core->load_ended(all<LoadExpert>(actions)[0].slot, fail(ErrorCode::kIo, "bad"), microseconds(1), now);
  EXPECT_THAT(sent<proto::DispatchFailure>(failed), SizeIs(1));
  EXPECT_THAT(all<DropJob>(failed), IsEmpty());
  const auto ended = computed(all<ComputeGroups>(actions)[0]);
  EXPECT_THAT(all<DropJob>(ended), SizeIs(1));
  EXPECT_THAT(all<FinishJob>(ended), IsEmpty());
}

TEST_F(WorkerCoreTest, RefusesWhatItsQueueCannotHold) {
  begin(4, {.jobs_max = 1});
  send(dispatch({{ExpertId{0}, 1}}));
  const auto failures = sent<proto::DispatchFailure>(send(dispatch({{ExpertId{0}, 1}})));
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_EQ(failures[0].code, ErrorCode::kOverloaded);
}

TEST_F(WorkerCoreTest, RefusesRowsThatDoNotFitTheModel) {
  begin(4);
  EXPECT_EQ(sent<proto::DispatchFailure>(send(dispatch({{ExpertId{8}, 1}})))[0].code, ErrorCode::kInvalidArgument);
  auto wide = dispatch({{ExpertId{0}, 1}});
  wide.shape.columns = 5;
  EXPECT_EQ(sent<proto::DispatchFailure>(send(wide))[0].code, ErrorCode::kMismatch);
  auto deep = dispatch({{ExpertId{0}, 1}});
  deep.id.layer = LayerId{2};
  EXPECT_EQ(sent<proto::DispatchFailure>(send(deep))[0].code, ErrorCode::kInvalidArgument);
}

TEST_F(WorkerCoreTest, DropsACancelledDispatch) {
  begin(4);
  const auto work = dispatch({{ExpertId{0}, 1}});
  const auto load = all<LoadExpert>(send(work));
  EXPECT_THAT(all<DropJob>(core->tensor_message(kTensor, proto::Cancel{work.id}, now)), SizeIs(1));
  EXPECT_THAT(all<ComputeGroups>(loaded(load[0])), IsEmpty());
  EXPECT_EQ(core->jobs(), 0U);
}

TEST_F(WorkerCoreTest, DoesNotStartWorkWhoseDeadlineHasPassed) {
  begin(4);
  make_resident(1);
  const auto late = dispatch({{ExpertId{1}, 1}});
  const auto actions = core->tensor_message(kTensor, late, now, now);
  EXPECT_THAT(all<ComputeGroups>(actions), IsEmpty());
  EXPECT_THAT(all<DropJob>(actions), SizeIs(1));
  const auto failures = sent<proto::DispatchFailure>(actions);
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_EQ(failures[0].id, late.id);
  EXPECT_EQ(failures[0].code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(core->counters().deadlines_missed, 1U);
  EXPECT_EQ(core->jobs(), 0U);
}

TEST_F(WorkerCoreTest, GivesUpADispatchThatWaitsForItsExpertPastItsDeadline) {
  begin(4);
  const auto load = all<LoadExpert>(core->tensor_message(kTensor, dispatch({{ExpertId{0}, 1}}), now, now + seconds(1)));
  ASSERT_THAT(load, SizeIs(1));
  now += seconds(1);
  const auto actions = loaded(load[0]);
  EXPECT_THAT(all<ComputeGroups>(actions), IsEmpty());
  EXPECT_THAT(sent<proto::DispatchFailure>(actions), SizeIs(1));
}

TEST_F(WorkerCoreTest, AnswersWhatWasStartedInTimeEvenIfItEndsLate) {
  begin(4);
  make_resident(1);
  const auto work =
      all<ComputeGroups>(core->tensor_message(kTensor, dispatch({{ExpertId{1}, 1}}), now, now + seconds(1)));
  ASSERT_THAT(work, SizeIs(1));
  now += seconds(2);
  EXPECT_THAT(core->tick(0, now), testing::Not(testing::Contains(testing::VariantWith<DropJob>(testing::_))));
  EXPECT_THAT(all<FinishJob>(computed(work[0])), SizeIs(1));
}

TEST_F(WorkerCoreTest, DropsTheDispatchesOfAPeerThatIsGone) {
  begin(4);
  send(dispatch({{ExpertId{0}, 1}}));
  EXPECT_THAT(all<DropJob>(core->tensor_peer_gone(kTensor, now)), SizeIs(1));
  EXPECT_EQ(core->jobs(), 0U);
}

TEST_F(WorkerCoreTest, LoadsItsShareWhenNoRosterCame) {
  begin(4, {.roster_grace = milliseconds(500)});
  EXPECT_THAT(all<LoadExpert>(core->tick(0, now)), IsEmpty());
  now += milliseconds(500);
  auto loads = all<LoadExpert>(core->tick(0, now));
  std::size_t count = 0;
  while (!loads.empty()) {
    ASSERT_THAT(loads, SizeIs(1)) << "one at a time, so that demand waits for at most one";
    ++count;
    loads = all<LoadExpert>(loaded(loads[0]));
  }
  EXPECT_EQ(count, 4U);
}

TEST_F(WorkerCoreTest, LoadsOnlyItsOwnShareOfARoster) {
  begin(16);
  proto::Roster roster{.epoch = 1, .members = {}};
  roster.members.push_back({.worker = kSelf, .name = "worker-0", .capacity = {.slots = 16}, .covered_layers = {}});
  roster.members.push_back(
      {.worker = WorkerId{2}, .name = "worker-1", .capacity = {.slots = 16}, .covered_layers = {}});
  const placement::Owners owners(roster.members, 16);
  auto loads = all<LoadExpert>(core->control_message(kControl, roster, now));
  std::size_t count = 0;
  while (!loads.empty()) {
    EXPECT_EQ(owners.of(loads[0].key).front(), kSelf);
    ++count;
    loads = all<LoadExpert>(loaded(loads[0]));
  }
  EXPECT_GT(count, 0U);
  EXPECT_LT(count, 16U);
}

// A worker of two, whose share of the model fits into its slots and fills them.
class ResidentShare : public WorkerCoreTest {
 protected:
  ResidentShare() {
    // Weights of placement follow capacity, so the number of slots that its share fills exactly has to be found.
    std::uint32_t slots = 0;
    do {
      divide(++slots);
    } while (own_.size() != slots && slots < 16);
    begin(slots);
    read_all(core->control_message(kControl, roster_, now));
  }
  void divide(std::uint32_t slots) {
    roster_.members = {
        {.worker = kSelf, .name = "worker-0", .capacity = {.expert_bytes = 100, .slots = slots}, .covered_layers = {}},
        {.worker = WorkerId{2}, .name = "worker-1", .capacity = {.slots = 16}, .covered_layers = {}}};
    const placement::Owners owners(roster_.members, 16);
    own_.clear();
    foreign_.clear();
    for (std::int32_t expert = 0; expert < 16; ++expert) {
      const ExpertKey key{LayerId{expert / 8}, ExpertId{expert % 8}};
      (owners.of(key).front() == kSelf ? own_ : foreign_).push_back(key);
    }
  }
  // Carries out reads until there are none; what was read.
  std::vector<ExpertKey> read_all(WorkerActions actions) {
    std::vector<ExpertKey> keys;
    for (auto loads = all<LoadExpert>(actions); !loads.empty(); loads = all<LoadExpert>(actions)) {
      keys.push_back(loads[0].key);
      actions = loaded(loads[0]);
      last_ = actions;
    }
    return keys;
  }
  proto::Dispatch dispatch_of(ExpertKey key) {
    auto result = dispatch({{key.expert, 1}});
    result.id.layer = key.layer;
    return result;
  }

  proto::Roster roster_{.epoch = 1, .members = {}};
  std::vector<ExpertKey> own_;
  std::vector<ExpertKey> foreign_;
  WorkerActions last_;  // After the last read.
};

TEST_F(ResidentShare, IsNotEvictedForAdvice) {
  ASSERT_EQ(core->slots().used(), own_.size());
  const proto::Prefetch advice{{}, 0, {{foreign_.front(), 3}}};
  EXPECT_THAT(read_all(core->control_message(kControl, advice, now)), IsEmpty());
  EXPECT_EQ(core->slots().evictions(), 0U);
}

TEST_F(ResidentShare, ComesBackAfterForeignDemandTookItsSlot) {
  EXPECT_THAT(read_all(send(dispatch_of(foreign_.front()))), testing::ElementsAre(foreign_.front()));
  const auto work = all<ComputeGroups>(last_);
  ASSERT_THAT(work, SizeIs(1));
  EXPECT_THAT(read_all(computed(work[0])), IsEmpty()) << "it may be wanted again";
  now += WorkerLimits{}.foreign_stay;
  EXPECT_THAT(read_all(core->tick(0, now)), SizeIs(1));
  for (const ExpertKey key : own_) EXPECT_EQ(core->slots().state(key), Residence::kResident);
}

TEST_F(WorkerCoreTest, EvictsForAdviceWhereItsShareDoesNotFitAnyway) {
  begin(2);
  make_resident(1);
  make_resident(2);
  proto::Roster roster{.epoch = 1, .members = {}};
  roster.members.push_back({.worker = kSelf, .name = "worker-0", .capacity = {.slots = 2}, .covered_layers = {}});
  EXPECT_THAT(all<LoadExpert>(core->control_message(kControl, roster, now)), IsEmpty()) << "a cache is left alone";
  const proto::Prefetch advice{{}, 0, {{{LayerId{1}, ExpertId{5}}, 3}}};
  EXPECT_THAT(all<LoadExpert>(core->control_message(kControl, advice, now)), SizeIs(1));
}

TEST_F(WorkerCoreTest, DrainsWhenARouterAsksForIt) {
  begin(4);
  const auto asked = core->control_message(kControl, proto::Draining{}, now);
  EXPECT_THAT(sent<proto::Draining>(asked), SizeIs(1));
  const auto refused = send(dispatch({{ExpertId{0}, 1}}));
  EXPECT_THAT(sent<proto::DispatchFailure>(refused), SizeIs(1));
  EXPECT_TRUE(core->drained());
  // Told again to who asks again.
  EXPECT_THAT(sent<proto::Draining>(core->control_message(kControl, proto::Draining{}, now)), SizeIs(1));
}

TEST_F(WorkerCoreTest, ServesAgainWhenARouterTakesItBack) {
  begin(4);
  core->control_message(kControl, proto::Draining{}, now);
  const auto resumed = core->control_message(kControl, proto::Resume{}, now);
  EXPECT_THAT(sent<proto::Resume>(resumed), SizeIs(1));
  EXPECT_FALSE(core->drained());
  EXPECT_THAT(sent<proto::DispatchFailure>(send(dispatch({{ExpertId{0}, 1}}))), IsEmpty());
  EXPECT_EQ(core->jobs(), 1U);
}

TEST_F(WorkerCoreTest, NobodyTakesBackAWorkerThatEnds) {
  begin(4);
  core->drain(now);
  const auto asked = core->control_message(kControl, proto::Resume{}, now);
  EXPECT_THAT(sent<proto::Resume>(asked), IsEmpty());
  EXPECT_THAT(sent<proto::Draining>(asked), SizeIs(1));
  EXPECT_TRUE(core->drained());
}

TEST_F(WorkerCoreTest, BeatsWithProgress) {
  begin(4);
  const auto beats = sent<proto::Heartbeat>(core->tick(123, now));
  ASSERT_THAT(beats, SizeIs(1));
  EXPECT_EQ(beats[0].progress, 123U);
  EXPECT_FALSE(beats[0].busy);
  EXPECT_EQ(core->next_tick(), now + kHeartbeatInterval);
}

TEST_F(WorkerCoreTest, IsBusyOnlyWhileItComputes) {
  begin(4);
  const auto load = all<LoadExpert>(send(dispatch({{ExpertId{0}, 1}})));
  EXPECT_FALSE(sent<proto::Heartbeat>(core->tick(0, now))[0].busy);
  loaded(load[0]);
  now += kHeartbeatInterval;
  EXPECT_TRUE(sent<proto::Heartbeat>(core->tick(0, now))[0].busy);
}

TEST_F(WorkerCoreTest, TellsWhatIsResident) {
  begin(4);
  make_resident(3);
  now += seconds(1);
  const auto residency = sent<proto::Residency>(core->tick(0, now));
  ASSERT_THAT(residency, SizeIs(1));
  EXPECT_THAT(residency[0].resident, testing::Contains(ExpertKey{kLayer, ExpertId{3}}));
  EXPECT_EQ(residency[0].rows_served, 1U);
  EXPECT_EQ(residency[0].misses, 1U);
}

TEST_F(WorkerCoreTest, TellsWhatItsLinksRefused) {
  begin(4);
  now += seconds(1);
  std::ignore = core->tick(0, now);
  core->links_refused(2, 3);
  std::ignore = core->malformed(kControl, {ErrorCode::kMalformedMessage, "no"}, true);
  now += seconds(1);
  const auto residency = sent<proto::Residency>(core->tick(0, now));
  ASSERT_THAT(residency, SizeIs(1));
  EXPECT_EQ(residency[0].faults, (proto::LinkFaults{1, 2, 3}));
  core->links_refused(2, 3);
  now += seconds(1);
  EXPECT_THAT(sent<proto::Residency>(core->tick(0, now)), IsEmpty());  // Nothing new.
}

TEST_F(WorkerCoreTest, ForgetsASilentRouter) {
  begin(4, {.router_timeout = seconds(10)});
  now += seconds(11);
  EXPECT_THAT(sent<proto::Heartbeat>(core->tick(0, now)), IsEmpty());
}

TEST_F(WorkerCoreTest, FinishesWhatItHasWhenItDrainsAndTakesNothingNew) {
  begin(4);
  const auto load = all<LoadExpert>(send(dispatch({{ExpertId{0}, 1}})));
  EXPECT_THAT(sent<proto::Draining>(core->drain(now)), SizeIs(1));
  EXPECT_FALSE(core->drained());
  EXPECT_EQ(sent<proto::DispatchFailure>(send(dispatch({{ExpertId{0}, 1}})))[0].code, ErrorCode::kUnavailable);
  const auto work = all<ComputeGroups>(loaded(load[0]));
  EXPECT_THAT(all<FinishJob>(computed(work[0])), SizeIs(1));
  EXPECT_TRUE(core->drained());
}

}  // namespace
}  // namespace sida::worker
