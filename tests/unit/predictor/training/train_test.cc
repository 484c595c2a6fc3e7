#include "predictor/training/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "predictor/hash/predictor_directory.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"
#include "tests/unit/predictor/training/tiny_trace.h"

namespace sida::predictor {
namespace {

using testing::HasSubstr;

class TrainTest : public testing::Test {
 protected:
  void SetUp() override {
    test::write_model(directory_.path() / "model", test::tiny_blueprint());
    auto model = model::ModelDirectory::open(directory_.path() / "model");
    ASSERT_TRUE(model.has_value()) << model.error().message;
    model_.emplace(std::move(*model));
    write_trace(tiny_header(model_->fingerprint()));
    options_.model = (directory_.path() / "model").string();
    options_.traces = {trace_path().string()};
    options_.out = (directory_.path() / "out").string();
    options_.tokens = 12'000;
    options_.batch_tokens = 200;
    options_.rate = 0.01;
    options_.copied_rate = 1;
    options_.threads = 1;
    options_.held_out = 0.2;
    options_.measure_every = 20;
  }
  [[nodiscard]] std::filesystem::path trace_path() const { return directory_.path() / "tiny.trace"; }
  void write_trace(const trace::TraceHeader& header) {
    std::filesystem::remove(trace_path());
    auto writer = trace::TraceWriter::create(trace_path(), header);
    ASSERT_TRUE(writer.has_value()) << writer.error().message;
    for (std::uint64_t i = 0; i < 200; ++i) ASSERT_TRUE(writer->append(tiny_sequence(header, i)).has_value());
    ASSERT_TRUE(writer->finish().has_value());
  }
  // `steps`: stops after so many; 0: never.
  Result<nlohmann::json> train_for(std::int64_t steps = 0) {
    std::int64_t taken = 0;
    return train(options_, {.say = [](const std::string&) {},
                            .measured = [](const Measurement&) {},
                            .stop = [&taken, steps] { return ++taken == steps; }});
  }
  static std::string bytes_of(const std::filesystem::path& path) {
    std::ostringstream bytes;
    bytes << std::ifstream(path, std::ios::binary).rdbuf();
    return bytes.str();
  }
  [[nodiscard]] std::string weights() const {
    return bytes_of(std::filesystem::path(options_.out) / "weights.safetensors");
  }

  test::TemporaryDirectory directory_;
  std::optional<model::ModelDirectory> model_;
  TrainingOptions options_;
};

double top1(const nlohmann::json& card, const char* stack) {
  return card.at("held_out").at("short").at(stack).at("top1").get<double>();
}

TEST_F(TrainTest, LearnsRoutesThatFollowTheToken) {
  options_.tokens = 40'000;
  const auto card = train_for();
  ASSERT_TRUE(card.has_value()) << card.error().message;
  EXPECT_GT(top1(*card, "encoder"), 80);  // Chance is 33.
  EXPECT_GT(top1(*card, "decoder"), 80);
}

TEST_F(TrainTest, LearnsThemWithTheOtherNetworksToo) {
  options_.width = 16;
  options_.blocks = 1;
  auto card = train_for();
  ASSERT_TRUE(card.has_value()) << card.error().message;
  EXPECT_GT(top1(*card, "encoder"), 90);
  options_.network = "published";
  options_.out += "-published";
  card = train_for();
  ASSERT_TRUE(card.has_value()) << card.error().message;
  EXPECT_GT(top1(*card, "encoder"), 60);
}

TEST_F(TrainTest, WritesAPredictorThatOpensWithItsModel) {
  ASSERT_TRUE(train_for().has_value());
  const auto function = open_hash_function(options_.out, served_model(*model_));
  ASSERT_TRUE(function.has_value()) << function.error().message;
  EXPECT_EQ((*function)->info().kind, "learned");
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(options_.out) / "checkpoint"));
}

TEST_F(TrainTest, GivesTheSameWeightsForTheSameSeed) {
  options_.tokens = 4000;
  ASSERT_TRUE(train_for().has_value());
  const std::string first = weights();
  ASSERT_TRUE(train_for().has_value());
  EXPECT_EQ(weights(), first);
  options_.seed = 2;
  ASSERT_TRUE(train_for().has_value());
  EXPECT_NE(weights(), first);
}

TEST_F(TrainTest, GoesOnFromItsCheckpointAsIfItHadNotBeenStopped) {
  options_.tokens = 6000;
  ASSERT_TRUE(train_for().has_value());
  const std::string whole = weights();
  // Between two measurements, and in a step that is due one.
  for (const std::int64_t steps : {15, 20}) {
    options_.out += "-stopped";
    const auto stopped = train_for(steps);
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
    ASSERT_TRUE(train_for().has_value());
    EXPECT_EQ(weights(), whole) << steps;
  }
}

TEST_F(TrainTest, StoppedInItsLastStepHasMeasuredIt) {
  options_.tokens = 100;
  const auto card = train_for(/*steps=*/1);
  ASSERT_TRUE(card.has_value()) << card.error().message;
  EXPECT_GT((*card)["training"]["held_out_loss"].get<double>(), 0);
}

TEST_F(TrainTest, TakesAwayNothingButItsOwnFromTheFolderOfTheCheckpoint) {
  options_.tokens = 500;
  options_.checkpoint = (directory_.path() / "mine").string();
  const auto thesis = directory_.path() / "mine" / "thesis.txt";
  std::filesystem::create_directories(thesis.parent_path());
  std::ofstream(thesis) << "three years";
  ASSERT_TRUE(train_for().has_value());
  EXPECT_EQ(bytes_of(thesis), "three years");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(thesis.parent_path()), {}), 1);
}

TEST_F(TrainTest, SurvivesATraceWhoseNameIsNoText) {
  options_.tokens = 500;
  const auto odd = directory_.path() / "\xff.trace";
  std::filesystem::copy(trace_path(), odd);
  options_.traces = {odd.string()};
  const auto card = train_for();
  EXPECT_TRUE(card.has_value()) << card.error().message;
}

TEST_F(TrainTest, BeginsWithAnEarlierPredictor) {
  ASSERT_TRUE(train_for().has_value());
  options_.begin_with = options_.out;
  options_.out += "-next";
  options_.tokens = 500;
  const auto next = train_for();
  ASSERT_TRUE(next.has_value()) << next.error().message;
  options_.begin_with.clear();
  options_.out += "-anew";
  const auto anew = train_for();
  EXPECT_GT(top1(*next, "encoder"), top1(*anew, "encoder"));
}

TEST_F(TrainTest, RefusesTheCheckpointOfAnotherTraining) {
  ASSERT_FALSE(train_for(/*steps=*/15).has_value());
  options_.seed = 77;
  const auto trained = train_for();
  ASSERT_FALSE(trained.has_value());
  EXPECT_EQ(trained.error().code, ErrorCode::kMismatch);
}

TEST_F(TrainTest, RefusesADamagedCheckpoint) {
  ASSERT_FALSE(train_for(15).has_value());
  const auto folder = std::filesystem::path(options_.out) / "checkpoint";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(-8, std::ios::end);
    file.write("\x3d\x3d", 2);
  }
  const auto card = train_for();
  ASSERT_FALSE(card.has_value());
  EXPECT_EQ(card.error().code, ErrorCode::kInvalidModel);
  EXPECT_NE(card.error().message.find("damaged"), std::string::npos) << card.error().message;
}

TEST_F(TrainTest, RefusesATraceOfAnotherModel) {
  model::Fingerprint other{};
  other.fill(3);
  write_trace(tiny_header(other));
  const auto trained = train_for();
  ASSERT_FALSE(trained.has_value());
  EXPECT_EQ(trained.error().code, ErrorCode::kMismatch);
  EXPECT_THAT(trained.error().message, HasSubstr("tiny.trace"));
}

TEST_F(TrainTest, RefusesATraceWithTokensThatTheModelDoesNotHave) {
  trace::TraceHeader header = tiny_header(model_->fingerprint());
  header.vocab_size = 1'000'000;
  write_trace(header);
  const auto trained = train_for();
  ASSERT_FALSE(trained.has_value());
  EXPECT_EQ(trained.error().code, ErrorCode::kMismatch);
  EXPECT_THAT(trained.error().message, HasSubstr("tiny.trace"));
}

TEST_F(TrainTest, RefusesATraceThatWasCutOff) {
  std::filesystem::resize_file(trace_path(), std::filesystem::file_size(trace_path()) - 3);
  const auto trained = train_for();
  ASSERT_FALSE(trained.has_value());
  EXPECT_EQ(trained.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(trained.error().message, HasSubstr("the same sida trace command goes on with it"));
}

TEST_F(TrainTest, WritesWhatTellsDamagedWeights) {
  options_.tokens = 500;
  ASSERT_TRUE(train_for().has_value());
  const auto path = std::filesystem::path(options_.out) / "weights.safetensors";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary | std::ios::ate);
  const auto last = static_cast<std::streamoff>(file.tellg()) - 2;
  file.seekg(last);
  const int byte = file.get();
  file.seekp(last);
  file.put(static_cast<char>(byte ^ 1));
  file.close();
  const auto function = open_hash_function(options_.out, served_model(*model_));
  ASSERT_FALSE(function.has_value());
  EXPECT_EQ(function.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(function.error().message, HasSubstr("weights.safetensors"));
}

TEST_F(TrainTest, RefusesADamagedTrace) {
  std::fstream file(trace_path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(500);
  file.write("damage", 6);
  file.close();
  const auto trained = train_for();
  ASSERT_FALSE(trained.has_value());
  EXPECT_EQ(trained.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(trained.error().message, HasSubstr("tiny.trace"));
}

TEST(RateShare, RisesThenFalls) {
  EXPECT_LT(rate_share(0), rate_share(0.005));
  EXPECT_GT(rate_share(0.01), 0.99);
  EXPECT_GT(rate_share(0.3), rate_share(0.7));
  EXPECT_GT(rate_share(1), 0);
}

}  // namespace
}  // namespace sida::predictor
