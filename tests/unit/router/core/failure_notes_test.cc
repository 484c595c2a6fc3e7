#include "router/core/failure_notes.h"

#include <gtest/gtest.h>

namespace sida::router {
namespace {

std::vector<ProcessStatus> worker(std::uint32_t pid, std::string state) {
  return {{.name = "worker-0", .role = "expert-worker", .pid = pid, .state = std::move(state)}};
}

// What is shown of it.
ProcessStatus shown(FailureNotes& notes, std::vector<ProcessStatus> processes) {
  notes.apply(processes);
  return processes.front();
}

TEST(FailureNotes, ShowTheReasonOfAProcessThatDoesNotAnswer) {
  FailureNotes notes;
  ASSERT_TRUE(notes.note("worker-0", "no disk", worker(0, "connecting")));
  EXPECT_EQ(shown(notes, worker(0, "connecting")).state, "failed");
  EXPECT_EQ(shown(notes, worker(0, "connecting")).detail, "no disk");
}

TEST(FailureNotes, WaitUntilTheFailedProcessIsMissed) {
  FailureNotes notes;
  ASSERT_TRUE(notes.note("worker-0", "no disk", worker(7, "ready")));
  EXPECT_EQ(shown(notes, worker(7, "ready")).state, "ready");
  EXPECT_EQ(shown(notes, worker(7, "lost")).state, "failed");
}

TEST(FailureNotes, EndWhenTheNextProcessAnswers) {
  FailureNotes notes;
  ASSERT_TRUE(notes.note("worker-0", "no disk", worker(7, "lost")));
  EXPECT_EQ(shown(notes, worker(8, "ready")).state, "ready");
  EXPECT_EQ(shown(notes, worker(8, "lost")).state, "lost");
}

TEST(FailureNotes, RefuseNamesThatTheRouterDoesNotKnow) {
  FailureNotes notes;
  EXPECT_EQ(notes.note("worker-9", "x", worker(7, "ready")).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace sida::router
