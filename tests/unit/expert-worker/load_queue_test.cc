#include "expert-worker/residency/load_queue.h"

#include <gtest/gtest.h>

namespace sida::worker {
namespace {

LoadOrder expected(std::uint32_t slot) {
  return {{LayerId{0}, ExpertId{static_cast<std::int32_t>(slot)}}, SlotId{slot}, false};
}
LoadOrder demanded(std::uint32_t slot) {
  LoadOrder order = expected(slot);
  order.demanded = true;
  return order;
}
SlotId next(const LoadQueue& queue) {
  return queue.next()->slot;
}

TEST(LoadQueue, ReadsInOrderOfArrival) {
  LoadQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.next());
  queue.add(expected(1));
  queue.add(expected(2));
  EXPECT_EQ(next(queue), SlotId{1});
  queue.remove(SlotId{1});
  EXPECT_EQ(next(queue), SlotId{2});
}

TEST(LoadQueue, InterruptsWhatIsExpectedForWhatIsDemandedAndGoesOnAfterwards) {
  LoadQueue queue;
  queue.add(expected(1));
  ASSERT_EQ(next(queue), SlotId{1});  // Its first piece is read.
  queue.add(demanded(2));
  EXPECT_EQ(next(queue), SlotId{2});
  queue.remove(SlotId{2});
  EXPECT_EQ(next(queue), SlotId{1});
}

TEST(LoadQueue, DoesNotInterruptADemandForALaterOne) {
  LoadQueue queue;
  queue.add(demanded(1));
  queue.add(expected(2));
  queue.add(demanded(3));
  EXPECT_EQ(next(queue), SlotId{1});
  queue.remove(SlotId{1});
  EXPECT_EQ(next(queue), SlotId{3});
}

TEST(LoadQueue, PutsWhatWasExpectedBehindTheOtherDemandsWhenItIsDemandedToo) {
  LoadQueue queue;
  queue.add(expected(1));
  queue.add(expected(2));
  queue.add(demanded(3));
  queue.demand(SlotId{2});
  queue.demand(SlotId{9});  // Not here.
  EXPECT_EQ(next(queue), SlotId{3});
  queue.remove(SlotId{3});
  EXPECT_EQ(next(queue), SlotId{2});
  EXPECT_TRUE(queue.next()->demanded);
}

TEST(LoadQueue, ForgetsWhatIsRemoved) {
  LoadQueue queue;
  queue.add(expected(1));
  EXPECT_TRUE(queue.remove(SlotId{1}));
  EXPECT_FALSE(queue.remove(SlotId{1}));
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace sida::worker
