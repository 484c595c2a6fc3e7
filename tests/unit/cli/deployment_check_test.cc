#include "cli/deployment_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

ProcessFile worker(const std::string& name, const std::string& listen) {
  return {.path = name + ".yaml",
          .role = FileRole::kWorker,
          .values = {{"name", {name}}, {"listen", {listen}}, {"dtype", {"auto"}}},
          .lines = {{"name", 1}, {"listen", 2}}};
}

ProcessFile predictor(const std::string& listen) {
  return {.path = "predictor.yaml",
          .role = FileRole::kPredictor,
          .values = {{"name", {"predictor-0"}}, {"listen", {listen}}},
          .lines = {{"listen", 4}}};
}

ProcessFile router(const std::vector<std::string>& workers, const std::vector<std::string>& predictors = {}) {
  return {.path = "router.yaml",
          .role = FileRole::kRouter,
          .values = {{"worker", workers}, {"predictor-endpoint", predictors}, {"dtype", {"auto"}}},
          .lines = {{"worker", 2}, {"predictor-endpoint", 5}}};
}

TEST(RoleOfFile, FollowsFromTheBeginningOfItsName) {
  EXPECT_EQ(role_of_file("router.yaml"), FileRole::kRouter);
  EXPECT_EQ(role_of_file("worker-gpu-0.yaml"), FileRole::kWorker);
  EXPECT_EQ(role_of_file("serve.yaml"), FileRole::kServe);
  EXPECT_EQ(role_of_file("workers.yaml"), std::nullopt);
  EXPECT_EQ(role_of_file("compose.yaml"), std::nullopt);
}

TEST(DeploymentProblems, FindsNoneWhereAllFits) {
  EXPECT_THAT(
      deployment_problems({router({"a=ipc:///run/a", "b=tcp://box-b:9000"}, {"ipc:///run/p"}),
                           worker("a", "ipc:///run/a"), worker("b", "tcp://10.0.0.2:9000"), predictor("ipc:///run/p")}),
      IsEmpty());
  // Workers and predictors that are configured elsewhere.
  EXPECT_THAT(deployment_problems({router({"a=tcp://box-a:9000"}, {"tcp://box-p:9001"})}), IsEmpty());
}

TEST(DeploymentProblems, NameFileAndLine) {
  EXPECT_THAT(deployment_problems({router({"a=ipc:///run/x"}), worker("a", "ipc:///run/a")}),
              ElementsAre(AllOf(StartsWith("router.yaml: line 2: worker: "), HasSubstr("ipc:///run/a"))));
  EXPECT_THAT(deployment_problems({router({"a=tcp://box:9001"}), worker("a", "tcp://box:9000")}),
              ElementsAre(StartsWith("router.yaml: line 2: worker: ")));
  EXPECT_THAT(deployment_problems({router({"a=ipc:///run/a", "c=ipc:///run/c"}), worker("a", "ipc:///run/a")}),
              ElementsAre(HasSubstr("'c'")));
  EXPECT_THAT(deployment_problems({router({"a=ipc:///run/a"}, {"ipc:///run/q"}), worker("a", "ipc:///run/a"),
                                   predictor("ipc:///run/p")}),
              ElementsAre(StartsWith("router.yaml: line 5: predictor-endpoint: ")));
}

TEST(DeploymentProblems, FindWorkersThatNobodyAsksAndTwins) {
  EXPECT_THAT(
      deployment_problems({router({"a=ipc:///run/a"}), worker("a", "ipc:///run/a"), worker("b", "ipc:///run/b")}),
      ElementsAre(AllOf(StartsWith("b.yaml: line 1: name: "), HasSubstr("lists no worker 'b'"))));
  EXPECT_THAT(
      deployment_problems({router({"a=ipc:///run/a"}), worker("a", "ipc:///run/a"), worker("a", "ipc:///run/b")}),
      ElementsAre(HasSubstr("'a' is that of a.yaml, too")));
  EXPECT_THAT(deployment_problems({router({"a=ipc:///run/a", "a=ipc:///run/a"}), worker("a", "ipc:///run/a")}),
              ElementsAre(HasSubstr("listed twice")));
}

TEST(DeploymentProblems, FindTypesThatDoNotFit) {
  ProcessFile other = worker("a", "ipc:///run/a");
  other.values["dtype"] = {"bf16"};
  other.lines["dtype"] = 7;
  EXPECT_THAT(deployment_problems({router({"a=ipc:///run/a"}), other}),
              ElementsAre(StartsWith("a.yaml: line 7: dtype: 'bf16'")));
}

TEST(DeploymentProblems, FindWhatIsNoEndpoint) {
  EXPECT_THAT(deployment_problems({worker("a", "run/a")}), ElementsAre(StartsWith("a.yaml: line 2: listen: 'run/a'")));
  EXPECT_THAT(deployment_problems({router({"a=http://box:1"}), worker("a", "ipc:///run/a")}),
              ElementsAre(StartsWith("router.yaml: line 2: worker: ")));
}

}  // namespace
}  // namespace sida::cli
