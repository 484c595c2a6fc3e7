// A whole worker with its threads, over in-process links, compared with the backend called directly.
#include "expert-worker/expert_worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <random>
#include <thread>

#include "common/proto/codec.h"
#include "common/runtime/waiter.h"

namespace sida::worker {
namespace {

using std::chrono::seconds;

std::filesystem::path model_path(const std::string& name) {
  return std::filesystem::path(SIDA_SOURCE_DIR) / "tests/golden/cases" / name / "model";
}

transport::Frame encode(const proto::Message& message) {
  return transport::Frame::take(proto::encode({.header = {}, .message = message}));
}

// A worker on its own thread and the router's ends of its links.
class RunningWorker {
 public:
  RunningWorker(const std::string& model_name, std::uint64_t memory_bytes)
      : transport_(transport::make_in_process_transport({})) {
    WorkerConfig config;
    config.listen = "inproc://worker";
    config.expert_memory_bytes = memory_bytes;
    auto model = model::ModelDirectory::open(model_path(model_name));
    SIDA_CHECK(model.has_value());
    auto worker = ExpertWorker::start(config, *std::move(model), *transport_);
    SIDA_CHECK(worker.has_value());
    worker_ = *std::move(worker);
    thread_ = std::thread([this] { worker_->run(); });
    control_ = *transport_->connect_control(worker_->endpoint());
    tensors_ = *transport_->connect_tensors(worker_->welcome().data_endpoint);
  }
  ~RunningWorker() {
    worker_->stop();
    thread_.join();
  }

  void greet(const proto::Hello& hello) {
    ASSERT_TRUE(control_->send(encode(hello)));
    ASSERT_TRUE(tensors_->send({encode(hello), {}}));
  }

  void dispatch(const proto::Dispatch& dispatch, std::vector<std::byte> rows) {
    ASSERT_TRUE(tensors_->send({encode(dispatch), transport::Frame::take(std::move(rows))}));
  }

  // The next message of the type on the control link or the tensor channel; others are skipped.
  template <typename Message>
  std::optional<Message> receive_control() {
    return receive<Message>(*control_, [&](auto& frame) { return std::get_if<Message>(&decoded(frame.bytes())); });
  }
  template <typename Message>
  std::optional<Message> receive_tensor() {
    return receive<Message>(*tensors_, [&](auto& message) {
      rows_ = message.rows;
      return std::get_if<Message>(&decoded(message.envelope.bytes()));
    });
  }
  [[nodiscard]] const transport::Frame& rows() const { return rows_; }
  [[nodiscard]] ExpertWorker& worker() { return *worker_; }

 private:
  proto::Message& decoded(std::span<const std::byte> bytes) {
    auto envelope = proto::decode(bytes);
    SIDA_CHECK(envelope.has_value());
    message_ = std::move(envelope->message);
    return message_;
  }

  template <typename Message, typename Link, typename Pick>
  std::optional<Message> receive(Link& link, Pick pick) {
    const TimePoint deadline = steady_now() + seconds(20);
    const std::array<int, 1> wake{link.wake_descriptor()};
    while (steady_now() < deadline) {
      auto received = link.receive();
      if (!received) {
        wait_readable(wake, deadline);
      } else if (const Message* message = pick(*received)) {
        return *message;
      }
    }
    return std::nullopt;
  }

  std::unique_ptr<transport::Transport> transport_;
  std::unique_ptr<ExpertWorker> worker_;
  std::unique_ptr<transport::ControlClient> control_;
  std::unique_ptr<transport::TensorClient> tensors_;
  std::thread thread_;
  proto::Message message_;
  transport::Frame rows_;
};

constexpr RouterId kRouter{5};

proto::Hello hello_for(const model::ModelDirectory& model, DType dtype) {
  proto::Hello hello;
  hello.router = kRouter;
  hello.model = model.fingerprint();
  hello.compute_dtype = dtype;
  return hello;
}

std::vector<std::byte> random_rows(std::size_t rows, std::size_t columns, DType dtype) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  std::vector<std::byte> bytes(rows * columns * bytes_per_element(dtype));
  for (std::size_t i = 0; i < rows * columns; ++i) {
    const float value = normal(random);
    if (dtype == DType::kFloat32) {
      std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
    } else {
      const BFloat16 rounded = to_bfloat16(value);
      std::memcpy(bytes.data() + i * sizeof rounded, &rounded, sizeof rounded);
    }
  }
  return bytes;
}

// The same rows through Backend::ffn, one row at a time.
std::vector<std::byte> expected_rows(const model::ModelDirectory& model, DType dtype, const proto::Dispatch& dispatch,
                                     const std::vector<std::byte>& rows) {
  const ExpertShape shape{model.config().d_model, model.config().d_ff, dtype};
  auto memory = SlotMemory::reserve(shape, 1);
  SIDA_CHECK(memory.has_value());
  ExpertLoader loader(model, *memory);
  auto backend = compute::make_cpu_backend({});
  SIDA_CHECK(backend.has_value());
  std::vector<std::byte> result(rows.size());
  const std::size_t row_bytes = static_cast<std::size_t>(shape.d_model) * bytes_per_element(dtype);
  std::size_t row = 0;
  for (const proto::Dispatch::Group& group : dispatch.groups) {
    SIDA_CHECK(loader.load({dispatch.id.layer, group.expert}, SlotId{0}).has_value());
    for (std::uint32_t i = 0; i < group.rows; ++i, ++row) {
      (*backend)->ffn({rows.data() + row * row_bytes, 1, shape.d_model, dtype}, memory->expert(SlotId{0}),
                      {result.data() + row * row_bytes, 1, shape.d_model, dtype});
    }
  }
  return result;
}

void check_against_backend(const std::string& model_name, DType dtype, std::uint64_t memory_bytes) {
  auto model = model::ModelDirectory::open(model_path(model_name));
  ASSERT_TRUE(model);
  RunningWorker running(model_name, memory_bytes);
  running.greet(hello_for(*model, dtype));
  ASSERT_TRUE(running.receive_control<proto::Welcome>());

  for (std::int32_t layer = 0; layer < model->geometry().moe_layers(); ++layer) {
    proto::Dispatch dispatch{.id = {.router = kRouter, .step = StepId{1}, .layer = LayerId{layer}}, .groups = {}};
    for (std::int32_t expert = 0; expert < model->config().num_experts; ++expert) {
      dispatch.groups.push_back({ExpertId{expert}, static_cast<std::uint32_t>(1 + expert % 3)});
      dispatch.shape.rows += dispatch.groups.back().rows;
    }
    dispatch.shape.columns = static_cast<std::uint32_t>(model->config().d_model);
    dispatch.shape.dtype = dtype;
    const auto rows = random_rows(dispatch.shape.rows, dispatch.shape.columns, dtype);
    running.dispatch(dispatch, rows);
    const auto result = running.receive_tensor<proto::DispatchResult>();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->id, dispatch.id);
    EXPECT_EQ(result->hits + result->misses, dispatch.groups.size());
    const auto expected = expected_rows(*model, dtype, dispatch, rows);
    ASSERT_EQ(running.rows().size(), expected.size());
    EXPECT_EQ(std::memcmp(running.rows().data(), expected.data(), expected.size()), 0) << "layer " << layer;
  }
}

TEST(ExpertWorker, GivesTheBitsOfTheBackend) {
  check_against_backend("base", DType::kFloat32, 0);
}

TEST(ExpertWorker, GivesTheSameBitsWithMemoryForTwoExperts) {
  auto model = model::ModelDirectory::open(model_path("base"));
  ASSERT_TRUE(model);
  const ExpertShape shape{model->config().d_model, model->config().d_ff, DType::kFloat32};
  check_against_backend("base", DType::kFloat32,
                        2 * shape.slot_bytes() + ExpertLoader::staging_bytes(*model, DType::kFloat32));
}

TEST(ExpertWorker, GivesTheBitsOfTheBackendInBf16) {
  check_against_backend("bf16_sharded", DType::kBFloat16, 0);
}

TEST(ExpertWorker, ComputesAHalfPrecisionCheckpointInSingle) {
  check_against_backend("fp16", DType::kFloat32, 0);
}

TEST(ExpertWorker, RefusesARouterOfAnotherModel) {
  RunningWorker running("base", 0);
  running.greet({.router = kRouter, .software_version = "", .channels = {}});
  const auto refusal = running.receive_control<proto::Refuse>();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, ErrorCode::kMismatch);
}

TEST(ExpertWorker, TellsWhatItLoadedWithoutBeingAsked) {
  auto model = model::ModelDirectory::open(model_path("base"));
  ASSERT_TRUE(model);
  RunningWorker running("base", 0);
  running.greet(hello_for(*model, DType::kFloat32));
  const auto experts = static_cast<std::size_t>(model->geometry().moe_layers() * model->config().num_experts);
  std::size_t resident = 0;
  while (resident < experts) {
    const auto residency = running.receive_control<proto::Residency>();
    ASSERT_TRUE(residency);
    EXPECT_GE(residency->resident.size(), resident);
    resident = residency->resident.size();
  }
  EXPECT_EQ(resident, experts);
}

TEST(ExpertWorker, SurvivesGarbageOnBothLinks) {
  auto model = model::ModelDirectory::open(model_path("base"));
  ASSERT_TRUE(model);
  RunningWorker running("base", 0);
  running.greet(hello_for(*model, DType::kFloat32));
  proto::Dispatch truncated{.id = {.router = kRouter}, .groups = {{ExpertId{0}, 2}}, .shape = {DType::kFloat32, 2, 32}};
  running.dispatch(truncated, std::vector<std::byte>(3));
  proto::Dispatch beyond{.id = {.router = kRouter, .part = 1},
                         .groups = {{ExpertId{30000}, 1}},
                         .shape = {DType::kFloat32, 1, static_cast<std::uint32_t>(model->config().d_model)}};
  running.dispatch(beyond, std::vector<std::byte>(beyond.shape.bytes()));
  const auto failure = running.receive_tensor<proto::DispatchFailure>();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->id, beyond.id);
}

}  // namespace
}  // namespace sida::worker
