#include "predictor/hash/recorded_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/trace/trace_writer.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/traced_example.h"

namespace sida::predictor {
namespace {

using ::testing::ElementsAreArray;

ServedModel model_of(const trace::TraceHeader& header) {
  ServedModel model;
  model.geometry.encoder_moe_layers = header.encoder_layers;
  model.geometry.decoder_moe_layers = header.decoder_layers;
  model.num_experts = header.num_experts;
  model.vocab_size = header.vocab_size;
  model.fingerprint = header.model;
  return model;
}

std::filesystem::path write_directory(const std::filesystem::path& folder, const trace::TraceHeader& header) {
  auto writer = trace::TraceWriter::create(folder / "routes.trace", header);
  EXPECT_TRUE(writer.has_value());
  EXPECT_TRUE(writer->append(test::traced_sequence(header, 0)).has_value());
  EXPECT_TRUE(writer->finish().has_value());
  std::ofstream(folder / "predictor.json") << R"({"kind": "recorded", "k": 1})";
  return folder;
}

TEST(RecordedRoutes, AreSaidOfTheTextsThatTheyWereRecordedOf) {
  const test::TemporaryDirectory folder;
  const trace::TraceHeader header = test::trace_header();
  const trace::TracedSequence sequence = test::traced_sequence(header, 0);
  auto function = open_hash_function(write_directory(folder.path(), header), model_of(header));
  ASSERT_TRUE(function.has_value()) << function.error().message;
  const Source source{.tokens = sequence.source};
  const Beginning said = std::move((*function)->begin({&source, 1}).front());
  std::vector<std::int16_t> served;
  for (const auto& layer : sequence.encoder) served.insert(served.end(), layer.served.begin(), layer.served.end());
  EXPECT_THAT(said.predictions.experts, ElementsAreArray(served));
  const DecoderInput input{said.state.get(), header.decoder_start_token};
  EXPECT_EQ((*function)->advance({&input, 1}).front().experts.front(), sequence.decoder.front().served.front());
}

TEST(RecordedRoutes, OfAnotherModelAreRefused) {
  const test::TemporaryDirectory folder;
  const trace::TraceHeader header = test::trace_header();
  const auto directory = write_directory(folder.path(), header);
  ServedModel other = model_of(header);
  other.fingerprint.fill(1);
  const auto function = open_hash_function(directory, other);
  ASSERT_FALSE(function.has_value());
  EXPECT_EQ(function.error().code, ErrorCode::kMismatch);
  EXPECT_NE(function.error().message.find("routes.trace"), std::string::npos);
}

TEST(RecordedRoutes, ThatAreDamagedAreRefused) {
  const test::TemporaryDirectory folder;
  const trace::TraceHeader header = test::trace_header();
  const auto directory = write_directory(folder.path(), header);
  std::ofstream(directory / "routes.trace", std::ios::binary) << "no trace";
  const auto function = open_hash_function(directory, model_of(header));
  ASSERT_FALSE(function.has_value());
  EXPECT_EQ(function.error().code, ErrorCode::kInvalidModel);
}

}  // namespace
}  // namespace sida::predictor
