#include "router/router_process.h"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "tests/support/in_process_cluster.h"

namespace sida::router {
namespace {

using sida::testing::InProcessCluster;

const std::string kModel = std::string(SIDA_SOURCE_DIR) + "/tests/golden/cases/experts_64/model";

Job generating(std::vector<std::int32_t> tokens, std::int32_t new_tokens) {
  GenerateJob work{.input_ids = std::move(tokens)};
  work.sampling.max_new_tokens = new_tokens;
  work.sampling.min_new_tokens = new_tokens;
  return Job{.request = RequestId{1}, .work = work, .return_experts = true};
}

std::vector<std::int32_t> tokens_of(const JobResult& result) {
  std::vector<std::int32_t> tokens;
  for (const auto& token : result.tokens) tokens.push_back(token.token);
  return tokens;
}

TEST(RouterProcess, GivesTheSameAnswerWithOneWorkerAndWithThree) {
  InProcessCluster one({.model = kModel, .workers = 1});
  InProcessCluster three({.model = kModel, .workers = 3});
  const auto a = one.run(generating({5, 9, 7, 1}, 12));
  const auto b = three.run(generating({5, 9, 7, 1}, 12));
  EXPECT_EQ(tokens_of(a), tokens_of(b));
  EXPECT_EQ(a.routing.encoder_experts, b.routing.encoder_experts);
  EXPECT_EQ(a.routing.decoder_experts, b.routing.decoder_experts);
  EXPECT_EQ(a.routing.rows_by_worker.size(), 1U);
  EXPECT_GT(b.routing.rows_by_worker.size(), 1U);
}

TEST(RouterProcess, StreamsEachTokenOnceAndInOrder) {
  InProcessCluster cluster({.model = kModel});
  std::vector<std::int32_t> streamed;
  Job job = generating({3, 1}, 8);
  job.on_token = [&](const GeneratedToken& token) { streamed.push_back(token.token); };
  const auto result = cluster.run(std::move(job));
  EXPECT_EQ(streamed, tokens_of(result));
}

TEST(RouterProcess, RefusesTokensOutsideTheVocabulary) {
  InProcessCluster cluster({.model = kModel});
  const auto submitted = cluster.engine().submit(generating({1 << 20}, 1));
  ASSERT_FALSE(submitted);
  EXPECT_EQ(submitted.error().code, ErrorCode::kInvalidArgument);
}

TEST(RouterProcess, ADeadlineThatPassesEndsTheJobInTime) {
  InProcessCluster cluster({.model = kModel});
  std::promise<Result<JobResult>> answered;
  Job job = generating({3, 1}, 100'000);
  job.deadline = steady_now() + std::chrono::milliseconds(50);
  job.done = [&](Result<JobResult> result) { answered.set_value(std::move(result)); };
  ASSERT_TRUE(cluster.engine().submit(std::move(job)));
  const auto result = answered.get_future().get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(RouterProcess, ACancelledJobEndsAsCancelled) {
  InProcessCluster cluster({.model = kModel});
  std::promise<void> begun;
  std::promise<Result<JobResult>> answered;
  Job job = generating({3, 1}, 100'000);
  job.on_token = [&, first = true](const GeneratedToken&) mutable {
    if (std::exchange(first, false)) begun.set_value();
  };
  job.done = [&](Result<JobResult> result) { answered.set_value(std::move(result)); };
  ASSERT_TRUE(cluster.engine().submit(std::move(job)));
  begun.get_future().wait();
  cluster.engine().cancel(RequestId{1});
  const auto result = answered.get_future().get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
}

TEST(RouterProcess, StoppingEndsRunningJobsAsUnavailable) {
  std::promise<Result<JobResult>> answered;
  {
    InProcessCluster cluster({.model = kModel});
    Job job = generating({3, 1}, 100'000);
    job.done = [&](Result<JobResult> result) { answered.set_value(std::move(result)); };
    ASSERT_TRUE(cluster.engine().submit(std::move(job)));
  }
  const auto result = answered.get_future().get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace sida::router
