#include "cli/trace_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/trace_run.h"
#include "tests/support/temporary_directory.h"

namespace sida::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One id per byte; 1 ends; <extra_id_N> is 300 - N.
class ByteTokenizer : public tokenizer::Tokenizer {
 public:
  std::vector<std::int32_t> encode(std::string_view text, bool add_special_tokens) const override {
    std::vector<std::int32_t> ids;
    for (std::int32_t sentinel = 0; sentinel < 3; ++sentinel) {
      if (text == token(300 - sentinel)) return {300 - sentinel};
    }
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
    if (add_special_tokens) ids.push_back(1);
    return ids;
  }
  std::string decode(std::span<const std::int32_t>, bool) const override { return ""; }
  std::int32_t vocab_size() const override { return 301; }
  std::string token(std::int32_t id) const override {
    return id > 297 ? "<extra_id_" + std::to_string(300 - id) + ">" : std::string(1, static_cast<char>(id));
  }
};

class TraceInputTest : public ::testing::Test {
 protected:
  Result<TraceInput> read(const std::string& name, const std::string& lines, const TraceInputOptions& options = {}) {
    return read_trace_input(directory_.write(name, lines), &tokenizer_, 1, options);
  }
  std::string refusal(const std::string& line) {
    const auto input = read("a.jsonl", "{\"text\": \"a\"}\n" + line + "\n");
    if (input) return "";
    EXPECT_EQ(input.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(input.error().message, HasSubstr("a.jsonl: line 2: "));
    return input.error().message;
  }

  test::TemporaryDirectory directory_;
  ByteTokenizer tokenizer_;
};

TEST_F(TraceInputTest, TakesTextAndTargetsOfJsonLines) {
  const auto input = read("a.jsonl",
                          "{\"prompt\": \"ab\", \"target\": \"c\", \"task\": \"short\"}\n\n"
                          "{\"text\": \"d\"}\n{\"input_ids\": [7, 8], \"target_ids\": [9]}\n",
                          {.task = "none"});
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_THAT(input->jobs, ElementsAre(TraceJob{0, "short", {'a', 'b', 1}, {'c', 1}}, TraceJob{2, "none", {'d', 1}, {}},
                                       TraceJob{3, "none", {7, 8}, {9}}));
  EXPECT_EQ(input->skipped, 1U);
}

TEST_F(TraceInputTest, TakesPlainTextLineByLine) {
  EXPECT_THAT(read("a.txt", "{\"text\": 1}\r\nb")->jobs,
              ElementsAre(TraceJob{0, "", {'{', '"', 't', 'e', 'x', 't', '"', ':', ' ', '1', '}', 1}, {}},
                          TraceJob{1, "", {'b', 1}, {}}));
}

TEST_F(TraceInputTest, NamesTheLineThatItCannotTake) {
  EXPECT_THAT(refusal("{"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("{\"target\": \"a\"}"), HasSubstr("none of prompt"));
  EXPECT_THAT(refusal("{\"text\": 5}"), HasSubstr("text is not a text"));
  EXPECT_THAT(refusal("{\"text\": \"a\", \"prompt\": \"b\"}"), HasSubstr("both"));
  EXPECT_THAT(refusal("{\"text\": \"a\", \"input_ids\": [1]}"), HasSubstr("both"));
  EXPECT_THAT(refusal("{\"input_ids\": [-1]}"), HasSubstr("input_ids is not a list"));
  EXPECT_THAT(refusal("{\"input_ids\": []}"), HasSubstr("input_ids is not a list"));
  EXPECT_THAT(refusal("{\"input_ids\": [1], \"target_ids\": [4294967296]}"), HasSubstr("target_ids"));
}

TEST_F(TraceInputTest, NeedsIdsWithoutATokeniser) {
  const auto path = directory_.write("a.jsonl", "{\"input_ids\": [5]}\n{\"text\": \"a\"}\n");
  EXPECT_THAT(read_trace_input(path, nullptr, 1, {}).error().message, HasSubstr("line 2: this model has no tokeniser"));
}

TEST_F(TraceInputTest, CutsWhatIsTooLongAndKeepsTheEndToken) {
  const auto input =
      read("a.jsonl", "{\"text\": \"abcdef\", \"target\": \"gh\"}\n", {.source_tokens_max = 4, .target_tokens_max = 3});
  EXPECT_THAT(input->jobs[0].source, ElementsAre('a', 'b', 'c', 1));
  EXPECT_THAT(input->jobs[0].target, ElementsAre('g', 'h', 1));
  EXPECT_EQ(input->shortened, 1U);
}

TEST_F(TraceInputTest, HidesSpansWhereThereIsNoTarget) {
  const auto input = read("a.jsonl", "{\"text\": \"abcd\"}\n{\"text\": \"a\"}\n{\"text\": \"ab\", \"target\": \"c\"}\n",
                          {.span_corruption = SpanCorruption{}});
  ASSERT_EQ(input->jobs.size(), 2U);
  EXPECT_THAT(input->jobs[0].source, ::testing::Contains(300));
  EXPECT_EQ(input->jobs[0].target.size(), 3U);
  EXPECT_EQ(input->jobs[1], (TraceJob{2, "", {'a', 'b', 1}, {'c', 1}}));
  EXPECT_EQ(input->skipped, 1U) << "one token has no span to hide";
}

TEST_F(TraceInputTest, TakesAsManyLinesAsAskedFor) {
  EXPECT_EQ(read("a.txt", "a\nb\nc\n", {.lines_max = 2})->jobs.size(), 2U);
}

TEST(JobsLeft, AreThoseThatTheTraceDoesNotHold) {
  const std::vector<TraceJob> jobs{{0, "", {5, 1}, {6, 1}}, {3, "", {7, 1}, {}}, {4, "", {8, 1}, {}}};
  EXPECT_THAT(*jobs_left(jobs, {{0, {{5, 1}, {6, 1}}}, {3, {{7, 1}, {}}}}), ElementsAre(jobs[2]));
  EXPECT_THAT(*jobs_left(jobs, {}), ::testing::SizeIs(3));
}

TEST(JobsLeft, ATraceOfAnotherTextIsRefused) {
  const std::vector<TraceJob> jobs{{0, "", {5, 1}, {6, 1}}};
  const auto left = jobs_left(jobs, {{0, {{5, 1}, {7, 1}}}});
  ASSERT_FALSE(left);
  EXPECT_EQ(left.error().code, ErrorCode::kMismatch);
  EXPECT_THAT(left.error().message, HasSubstr("line 1"));
}

}  // namespace
}  // namespace sida::cli
