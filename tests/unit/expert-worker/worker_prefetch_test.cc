// Advice: what is read ahead, what is evicted for it, and what became of it.
#include "tests/unit/expert-worker/worker_core_fixture.h"

namespace sida::worker {
namespace {

TEST_F(WorkerCoreTest, LoadsWhatItIsAdvisedTo) {
  begin(4);
  const proto::Prefetch advice{{}, 0, {{{LayerId{1}, ExpertId{5}}, 3}}};
  const auto loads = all<LoadExpert>(core->control_message(kControl, advice, now));
  ASSERT_THAT(loads, SizeIs(1));
  EXPECT_EQ(loads[0].key, (ExpertKey{LayerId{1}, ExpertId{5}}));
}

TEST_F(WorkerCoreTest, IgnoresAdviceOnExpertsThatDoNotExist) {
  begin(4);
  const proto::Prefetch advice{{}, 0, {{{LayerId{2}, ExpertId{0}}, 1}, {{LayerId{0}, ExpertId{8}}, 1}}};
  EXPECT_THAT(all<LoadExpert>(core->control_message(kControl, advice, now)), IsEmpty());
}

TEST_F(WorkerCoreTest, DoesNotEvictForAdviceWhatIsNeededSooner) {
  begin(2);
  make_resident(1);
  make_resident(2);
  const proto::Prefetch advice{{}, 0, {item(0, 1), item(0, 2), item(1, 5)}};
  EXPECT_THAT(all<LoadExpert>(core->control_message(kControl, advice, now)), IsEmpty());
  const auto computed_first = all<ComputeGroups>(send(dispatch({{ExpertId{1}, 1}})));
  ASSERT_THAT(computed_first, SizeIs(1));
  const auto loads = all<LoadExpert>(computed(computed_first[0]));  // 0/1 had its turn: its slot is free for 1/5.
  ASSERT_THAT(loads, SizeIs(1));
  EXPECT_EQ(loads[0].key, (ExpertKey{LayerId{1}, ExpertId{5}}));
  EXPECT_EQ(core->slots().state({kLayer, ExpertId{2}}), Residence::kResident);
}

TEST_F(WorkerCoreTest, EvictsForADemandWhatIsExpectedLast) {
  begin(2);
  make_resident(1);
  make_resident(2);
  core->control_message(kControl, proto::Prefetch{{}, 0, {item(0, 1), item(0, 2)}}, now);
  ASSERT_THAT(all<LoadExpert>(send(dispatch({{ExpertId{7}, 1}}))), SizeIs(1));
  EXPECT_EQ(core->slots().state({kLayer, ExpertId{1}}), Residence::kResident) << "least recently used, but needed next";
  EXPECT_EQ(core->slots().state({kLayer, ExpertId{2}}), Residence::kAbsent);
}

TEST_F(WorkerCoreTest, CountsPrefetchesByWhatBecameOfThem) {
  begin(2);
  // Useful: it is there when it is demanded.
  auto load = all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(0, 1)}}, now));
  ASSERT_THAT(load, SizeIs(1));
  loaded(load[0]);
  make_resident(1);
  EXPECT_EQ(core->counters().prefetches_useful, 1U);
  EXPECT_EQ(core->counters().hits, 1U);
  // Late: it is demanded while it is read.
  load = all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(0, 2)}}, now));
  ASSERT_THAT(load, SizeIs(1));
  send(dispatch({{ExpertId{2}, 1}}));
  for (const ComputeGroups& work : all<ComputeGroups>(loaded(load[0]))) computed(work);
  EXPECT_EQ(core->counters().prefetches_late, 1U);
  // Wasted: nobody wants it before its slot is taken.
  load = all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(1, 6)}}, now));
  ASSERT_THAT(load, SizeIs(1));
  loaded(load[0]);
  make_resident(2);
  make_resident(3);
  EXPECT_EQ(core->counters().prefetches_wasted, 0U) << "it is still expected";
  now += WorkerLimits{}.expected_for;
  core->tick(0, now);
  make_resident(4);
  make_resident(5);
  EXPECT_EQ(core->counters().prefetches_wasted, 1U);
  EXPECT_EQ(core->counters().prefetches, 3U);
}

TEST_F(WorkerCoreTest, ReadsWhatIsDemandedBeforeWhatIsExpected) {
  begin(4);
  const proto::Prefetch advice{{}, 0, {{{LayerId{1}, ExpertId{5}}, 3}, {{LayerId{1}, ExpertId{6}}, 3}}};
  core->control_message(kControl, advice, now);
  const auto demanded = all<LoadExpert>(send(dispatch({{ExpertId{0}, 1}})));
  ASSERT_THAT(demanded, SizeIs(1)) << "it does not wait for the expert being read";
  EXPECT_EQ(demanded[0].key, (ExpertKey{kLayer, ExpertId{0}}));
}

TEST_F(WorkerCoreTest, ReadsAheadOneAfterAnother) {
  begin(8);
  const auto loads =
      all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(1, 1), item(1, 2)}}, now));
  ASSERT_THAT(loads, SizeIs(1));
  EXPECT_FALSE(loads[0].demanded);
  EXPECT_THAT(all<LoadExpert>(loaded(loads[0])), SizeIs(1));
}

TEST_F(WorkerCoreTest, BeginsNoReadOfAdviceWhileADemandedOneIsUnderWay) {
  begin(8);
  core->control_message(kControl, proto::Prefetch{{}, 0, {item(0, 1), item(0, 2)}}, now);
  EXPECT_THAT(all<LoadExpert>(send(dispatch({{ExpertId{1}, 1}}))), IsEmpty()) << "the first of the advice is demanded";
  const auto demanded = all<LoadExpert>(send(dispatch({{ExpertId{5}, 1}})));
  ASSERT_THAT(demanded, SizeIs(1));
  EXPECT_TRUE(demanded[0].demanded);
}

TEST_F(WorkerCoreTest, CountsAReadOfAdviceThatFailsAsOneInVain) {
  begin(4);
  const auto load = all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(1, 2)}}, now));
  ASSERT_THAT(load, SizeIs(1));
  core->load_ended(load[0].slot, fail(ErrorCode::kIo, "no such disk"), {}, now);
  EXPECT_LT(core->admission().gain(), 0);
}

TEST_F(WorkerCoreTest, PutsAReadOfAdviceInFrontWhenItIsDemanded) {
  begin(4);
  const auto load = all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(0, 2)}}, now));
  ASSERT_THAT(load, SizeIs(1));
  const auto actions = send(dispatch({{ExpertId{2}, 1}}));
  EXPECT_THAT(all<LoadExpert>(actions), IsEmpty()) << "the read is shared";
  const auto demands = all<DemandLoad>(actions);
  ASSERT_THAT(demands, SizeIs(1));
  EXPECT_EQ(demands[0].slot, load[0].slot);
}

TEST_F(WorkerCoreTest, TakesTheSlotOfAReadOfAdviceForADemandThatHasNone) {
  begin(1);
  const auto load = all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(1, 2)}}, now));
  ASSERT_THAT(load, SizeIs(1));
  const auto actions = send(dispatch({{ExpertId{5}, 1}}));
  ASSERT_THAT(all<CancelLoad>(actions), SizeIs(1));
  EXPECT_THAT(all<LoadExpert>(actions), IsEmpty()) << "the slot is still being written";
  const auto ended = core->load_ended(load[0].slot, fail(ErrorCode::kCancelled, ""), {}, now);
  const auto demanded = all<LoadExpert>(ended);
  ASSERT_THAT(demanded, SizeIs(1));
  EXPECT_TRUE(demanded[0].demanded);
  EXPECT_EQ(demanded[0].key, (ExpertKey{kLayer, ExpertId{5}}));
  EXPECT_EQ(core->counters().prefetches_cancelled, 1U);
  EXPECT_EQ(core->counters().load_failures, 0U);
}

TEST_F(WorkerCoreTest, CancelsAReadOfAdviceWhoseSequenceHasEnded) {
  begin(4);
  const SequenceId sequence{5};
  const auto load = all<LoadExpert>(core->control_message(kControl, proto::Prefetch{sequence, 0, {item(1, 2)}}, now));
  ASSERT_THAT(load, SizeIs(1));
  EXPECT_THAT(all<CancelLoad>(core->control_message(kControl, proto::Forget{SequenceId{6}}, now)), IsEmpty());
  EXPECT_THAT(all<CancelLoad>(core->control_message(kControl, proto::Forget{sequence}, now)), SizeIs(1));
}

TEST_F(WorkerCoreTest, ReadsNothingAheadWhenPrefetchingIsOffButKeepsWhatIsExpected) {
  begin(2, {.prefetch = PrefetchMode::kOff});
  make_resident(1);
  make_resident(2);
  EXPECT_THAT(all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(0, 1), item(1, 3)}}, now)),
              IsEmpty());
  send(dispatch({{ExpertId{7}, 1}}));
  EXPECT_EQ(core->slots().state({kLayer, ExpertId{1}}), Residence::kResident) << "least recently used, but needed next";
}

class ImaginedPrefetchTest : public WorkerCoreTest {
 protected:
  static constexpr microseconds kReadTime{8000};

  ImaginedPrefetchTest() { begin(4, {.prefetch = PrefetchMode::kAuto, .first_load_time = kReadTime}); }

  // A source is known to need an expert that is absent; its rows come after a while in which the disk has nothing to
  // do.
  void advise_and_demand_after(microseconds gap) {
    const std::int32_t expert = next_++ % 8;
    const SequenceId sequence{++last_sequence_};
    const auto advised = core->control_message(kControl, proto::Prefetch{sequence, 0, {item(0, expert)}}, now);
    for (const LoadExpert& load : all<LoadExpert>(advised)) {
      ++reads_ahead;
      loaded_after(load, kReadTime);
    }
    now += gap;
    const auto actions = send(dispatch({{ExpertId{expert}, 1}}));
    for (const ComputeGroups& work : all<ComputeGroups>(actions)) computed(work);
    for (const LoadExpert& load : all<LoadExpert>(actions)) {
      for (const ComputeGroups& work : all<ComputeGroups>(loaded_after(load, kReadTime))) computed(work);
    }
    core->control_message(kControl, proto::Forget{sequence}, now);
  }
  WorkerActions loaded_after(const LoadExpert& load, microseconds took) {
    now += took;
    return core->load_ended(load.slot, {}, took, now);
  }

  int reads_ahead = 0;

 private:
  std::int32_t next_ = 0;
  std::uint64_t last_sequence_ = 0;
};

TEST_F(ImaginedPrefetchTest, ReadsNothingAheadBeforeItHasMeasuredThatTheDiskHasTime) {
  for (int i = 0; i < 31; ++i) advise_and_demand_after(kReadTime / 2);
  EXPECT_EQ(reads_ahead, 0);
  EXPECT_FALSE(core->admission().on());
  EXPECT_NEAR(core->admission().gain(), 0.5, 0.01) << "half of each read would have been done";
  advise_and_demand_after(kReadTime / 2);
  EXPECT_TRUE(core->admission().on());
  advise_and_demand_after(kReadTime / 2);
  EXPECT_EQ(reads_ahead, 1);
}

TEST_F(ImaginedPrefetchTest, NeverReadsAheadOnADiskThatHasNoTime) {
  for (int i = 0; i < 200; ++i) advise_and_demand_after(microseconds(10));
  EXPECT_EQ(reads_ahead, 0);
  EXPECT_EQ(core->admission().switches(), 0U);
}

TEST_F(ImaginedPrefetchTest, TimeInWhichTheDiskReadsForOthersIsNoTime) {
  make_resident(7);
  core->control_message(kControl, proto::Prefetch{SequenceId{100}, 0, {item(1, 3)}}, now);  // Imagined from now on.
  const auto other = all<LoadExpert>(send(dispatch({{ExpertId{5}, 1}})));
  ASSERT_THAT(other, SizeIs(1));
  for (const ComputeGroups& work : all<ComputeGroups>(loaded_after(other[0], kReadTime))) computed(work);
  const double before = core->admission().gain();
  auto demand = dispatch({{ExpertId{3}, 1}});
  demand.id.layer = LayerId{1};
  send(demand);
  EXPECT_EQ(core->admission().gain(), before) << "nothing of it would have been read";
}

TEST_F(ImaginedPrefetchTest, CountsAdviceThatNobodyFollowsAsReadInVain) {
  core->control_message(kControl, proto::Prefetch{SequenceId{1}, 0, {item(1, 3)}}, now);
  now += kReadTime;
  core->control_message(kControl, proto::Forget{SequenceId{1}}, now);
  EXPECT_LT(core->admission().gain(), 0);
}

TEST_F(WorkerCoreTest, CountsThePieceThatADemandHasToLetBy) {
  begin(4, {.prefetch = PrefetchMode::kOn, .read_pieces = 8});
  ASSERT_THAT(all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(1, 2)}}, now)), SizeIs(1));
  send(dispatch({{ExpertId{5}, 1}, {ExpertId{6}, 1}}));
  EXPECT_DOUBLE_EQ(2 * core->admission().gain(), -0.5 / 8) << "half of the piece under way, in the mean, and once";
}

TEST_F(WorkerCoreTest, CancelsAReadOfAdviceWhoseTimeIsOver) {
  begin(4);
  const auto load = all<LoadExpert>(core->control_message(kControl, proto::Prefetch{{}, 0, {item(1, 2)}}, now));
  ASSERT_THAT(load, SizeIs(1));
  now += WorkerLimits{}.expected_for;
  const auto cancelled = all<CancelLoad>(core->tick(0, now));
  ASSERT_THAT(cancelled, SizeIs(1));
  EXPECT_EQ(cancelled[0].slot, load[0].slot);
  EXPECT_THAT(all<CancelLoad>(core->tick(0, core->next_tick())), IsEmpty()) << "once";
}

TEST_F(WorkerCoreTest, KeepsWhatItCanUseWhenItReadsForTheSameDispatch) {
  begin(2);
  make_resident(7);
  make_resident(6);
  const auto actions = send(dispatch({{ExpertId{1}, 1}, {ExpertId{7}, 1}}));
  ASSERT_THAT(all<LoadExpert>(actions), SizeIs(1));
  EXPECT_THAT(all<ComputeGroups>(actions), SizeIs(1)) << "7 was used least recently, but is needed here";
}

}  // namespace
}  // namespace sida::worker
