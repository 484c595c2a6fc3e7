// The predictor's one thread: carries out what PredictorCore decides, over a control link and with a hash function.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

#include "common/runtime/alive_file.h"
#include "common/runtime/clock.h"
#include "common/transport/control_link.h"
#include "common/transport/keys/keyring.h"
#include "predictor/core/predictor_core.h"
#include "predictor/hash/hash_function.h"

namespace sida::predictor {

class PredictorAgent {
 public:
  // `keyring`: the link's, if it has one.
  PredictorAgent(PredictorIdentity identity, std::unique_ptr<HashFunction> function,
                 std::unique_ptr<transport::ControlServer> link, PredictorLimits limits,
                 std::shared_ptr<const transport::Keyring> keyring = nullptr, AliveFile alive = {});

  // Serves until `stop_descriptor` is readable; then tells its routers that it leaves.
  void run(int stop_descriptor);

  // One turn of the loop. False when there was nothing to do.
  bool turn(TimePoint now);

  [[nodiscard]] const PredictorCore& core() const { return core_; }
  // "sources=12 source_us=410 steps=90 step_us=95 busy_percent=3": means since start. Its own thread, or after run().
  [[nodiscard]] std::string summary(TimePoint now) const;

 private:
  bool receive(TimePoint now);
  bool work();
  void read_sources(const Work& work);
  void take_steps(std::span<const StepWork> steps);
  void carry_out(const PredictorActions& actions);
  void send(const Send& action);
  void count_malformed(const Error& error, TimePoint now);
  void report(TimePoint now);
  void log_report(TimePoint now);

  PredictorCore core_;
  std::unique_ptr<HashFunction> function_;
  std::unique_ptr<transport::ControlServer> link_;
  std::shared_ptr<const transport::Keyring> keyring_;
  AliveFile alive_;
  std::map<SequenceKey, std::unique_ptr<SequenceState>> states_;  // Of the core's sequences that were worked on.
  std::uint64_t malformed_messages_ = 0;
  TimePoint next_malformed_log_{};
  TimePoint began_ = steady_now();
  TimePoint next_report_{};
  TimePoint next_log_{};
  std::uint64_t reported_progress_ = 0;
  PredictorTimes times_;
};

}  // namespace sida::predictor
