// The program itself: from its command line to its exit code.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/model/model_directory.h"
#include "common/proto/codec.h"
#include "common/runtime/waiter.h"
#include "common/transport/transport.h"
#include "tests/support/tiny_model.h"
#include "tests/unit/predictor/hash/table_files.h"

namespace sida::predictor {
namespace {

using testing::HasSubstr;

constexpr const char* kProgram = SIDA_BINARY_DIR "/bin/sida-predictor";
constexpr std::chrono::seconds kPatience{60};

class PredictorProcess : public testing::Test {
 protected:
  void SetUp() override {
    test::write_model(model_, test::tiny_blueprint());
    write_predictor(directory_, small_tables(test::tiny_blueprint().config.vocab_size));
  }
  void TearDown() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    if (log_ >= 0) close(log_);
  }

  void start(std::vector<std::string> arguments) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    log_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    arguments.insert(arguments.begin(), kProgram);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ASSERT_EQ(posix_spawn(&child_, kProgram, &actions, nullptr, pointers.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
  }
  // Reads what the process logs until `text` occurs, or to the end.
  std::string log_until(const std::string& text) {
    std::string log;
    const TimePoint until = steady_now() + kPatience;
    while (log.find(text) == std::string::npos && steady_now() < until) {
      wait_readable({&log_, 1}, until);
      char piece[512];
      const ssize_t size = read(log_, piece, sizeof piece);
      if (size <= 0) break;
      log.append(piece, static_cast<std::size_t>(size));
    }
    return log;
  }
  int exit_status() {
    int status = -1;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  test::TemporaryDirectory directory_;
  std::filesystem::path model_ = directory_.path() / "model";
  std::string endpoint_ = "ipc://" + (directory_.path() / "p.sock").string();
  pid_t child_ = -1;
  int log_ = -1;
};

TEST_F(PredictorProcess, AnswersARouterAndEndsCleanlyOnSigterm) {
  start({"--listen", endpoint_, "--model", model_, "--predictor", directory_.path(), "--name", "predictor-7"});
  EXPECT_THAT(log_until("ready"), HasSubstr("predictor-7 ready endpoint=" + endpoint_));

  const auto transport = transport::make_zeromq_transport({});
  const auto router = std::move(*transport->connect_control(endpoint_));
  proto::Hello hello;
  hello.model = model::ModelDirectory::open(model_)->fingerprint();
  ASSERT_TRUE(router->send(transport::Frame::take(proto::encode({{}, hello}))).has_value());
  auto welcome = router->receive();
  for (const TimePoint until = steady_now() + kPatience; !welcome && steady_now() < until;
       welcome = router->receive()) {
    const int descriptor = router->wake_descriptor();
    wait_readable({&descriptor, 1}, until);
  }
  ASSERT_TRUE(welcome.has_value());
  const auto envelope = proto::decode(welcome->bytes());
  ASSERT_TRUE(envelope.has_value());
  EXPECT_EQ(std::get<proto::Welcome>(envelope->message).name, "predictor-7");

  kill(child_, SIGTERM);
  EXPECT_EQ(exit_status(), 0);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "p.sock"));
}

TEST_F(PredictorProcess, RefusesADamagedTable) {
  directory_.write("table.safetensors", "nonsense");
  start({"--listen", endpoint_, "--model", model_, "--predictor", directory_.path()});
  const std::string log = log_until("error: ");
  EXPECT_THAT(log, HasSubstr("error: invalid_model: "));
  EXPECT_THAT(log + log_until("\n"), HasSubstr("table.safetensors"));
  EXPECT_EQ(exit_status(), 3);
}

TEST_F(PredictorProcess, SaysWhatIsMissingOnTheCommandLine) {
  start({"--listen", endpoint_});
  EXPECT_THAT(log_until("--predictor DIR is missing"), HasSubstr("--model DIR is missing"));
  EXPECT_EQ(exit_status(), 2);
}

}  // namespace
}  // namespace sida::predictor
