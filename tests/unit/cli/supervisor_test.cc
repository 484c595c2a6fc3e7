#include "cli/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace sida::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;

ProcessPlan shell(const std::string& name, const std::string& script) {
  return {name, "/bin/sh", {"-c", script}};
}

class SupervisorTest : public ::testing::Test {
 protected:
  // Runs until `poll_ready` or the children end it.
  Result<void> run(std::vector<ProcessPlan> plans, std::function<bool()> poll_ready = {}) {
    SupervisorHooks hooks;
    hooks.line = [this](const std::string& name, const std::string& line) { lines_.push_back(name + ": " + line); };
    hooks.poll_ready = std::move(poll_ready);
    hooks.failed = [this](const std::string& name, const std::string& why) { failed_.push_back(name + ": " + why); };
    RestartPolicy policy;
    policy.first_delay = 1ms;
    policy.delay_max = 2ms;
    policy.stop_grace = 300ms;
    return Supervisor(std::move(plans), policy, std::move(hooks)).run();
  }
  std::vector<std::string> lines_;
  std::vector<std::string> failed_;
};

TEST_F(SupervisorTest, EndsEverythingOnSigterm) {
  const auto done = run({shell("a", "echo up; tail -f /dev/null"), shell("b", "echo up; tail -f /dev/null")}, [this] {
    if (lines_.size() < 2) {
      return false;
    }
    ::kill(::getpid(), SIGTERM);
    return true;
  });
  EXPECT_TRUE(done);
}

TEST_F(SupervisorTest, KillsAChildThatDoesNotListen) {
  EXPECT_TRUE(run({shell("deaf", "trap '' TERM; echo up; while :; do tail -f /dev/null; done")}, [this] {
    if (lines_.empty()) {
      return false;
    }
    ::kill(::getpid(), SIGINT);
    return true;
  }));
}

TEST_F(SupervisorTest, TellsTheErrorOfAChildWhoseModelIsInvalid) {
  const auto done = run(
      {shell("fine", "tail -f /dev/null"), shell("bad", "echo 'error: invalid_model: config.json: x' >&2; exit 3")});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error(), (Error{ErrorCode::kInvalidModel, "bad: config.json: x"}));
}

TEST_F(SupervisorTest, StartsAChildAgainUntilItGivesUp) {
  const auto done = run({shell("crashing", "echo up; exit 1")});
  ASSERT_FALSE(done);
  EXPECT_EQ(std::count(lines_.begin(), lines_.end(), "crashing: up"), 6);
  EXPECT_EQ(sida::exit_code(done.error().code), 1);
}

TEST_F(SupervisorTest, TellsWhyAChildHasFailedAndKeepsTheOthers) {
  const auto done =
      run({shell("fine", "tail -f /dev/null"), shell("crashing", "echo 'error: io: no disk'; exit 1")}, [this] {
        if (failed_.empty()) {
          return false;
        }
        ::kill(::getpid(), SIGTERM);
        return true;
      });
  EXPECT_TRUE(done);
  EXPECT_EQ(failed_, std::vector<std::string>{"crashing: no disk"});
}

TEST_F(SupervisorTest, AMissingProgramIsNamed) {
  const auto done = run({{"gone", "/nowhere/sida-gone", {}}});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("/nowhere/sida-gone is missing"));
}

TEST_F(SupervisorTest, ChildrenDoNotSeeSettingsFromTheEnvironment) {
  ::setenv("SIDA_CONFIG", "x", 1);
  const auto done = run({shell("child", "echo config=$SIDA_CONFIG path=${PATH:+set}; exit 2")});
  ::unsetenv("SIDA_CONFIG");
  EXPECT_FALSE(done);
  EXPECT_THAT(lines_, Contains("child: config= path=set"));
}

}  // namespace
}  // namespace sida::cli
