// An engine and a tokeniser for tests of the HTTP front end.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/tokenizer/tokenizer.h"
#include "router/core/request.h"

namespace sida::router {

// Answers at once with tokens 10, 11, 12, … of log-probability -0.5 each (score: -0.5 per target token; classify: the
// logits length, 2.5, head); or, with `hold`, keeps jobs until they are cancelled. Thread-safe.
class FakeEngine : public Engine {
 public:
  Result<void> submit(Job job) override {
    std::unique_lock lock(mutex_);
    if (refuse_with) {
      return tl::unexpected<Error>(*refuse_with);
    }
    submitted.push_back(job);
    submitted.back().done = nullptr;  // Callbacks may not outlive the server.
    submitted.back().on_token = nullptr;
    if (hold) {
      held_[job.request.value] = std::move(job);
      changed_.notify_all();
      return {};
    }
    lock.unlock();
    answer(job);
    return {};
  }

  void cancel(RequestId request) override {
    std::unique_lock lock(mutex_);
    const auto found = held_.find(request.value);
    if (found == held_.end()) {
      return;
    }
    Job job = std::move(found->second);
    held_.erase(found);
    ++cancelled_;
    changed_.notify_all();
    lock.unlock();
    job.done(fail(ErrorCode::kCancelled, "the client went away"));
  }

  [[nodiscard]] RouterStatus status() const override { return state; }
  Result<void> process_failed(const std::string& name, std::string why) override {
    if (name != "worker-0") {
      return fail(ErrorCode::kNotFound, "no process of this name");
    }
    failed = name + ": " + why;
    return {};
  }

  Result<void> drain_worker(const std::string& name) override {
    if (name != "worker-0") {
      return fail(ErrorCode::kNotFound, "no expert-worker of this name");
    }
    drained = name;
    return {};
  }
  Result<void> undrain_worker(const std::string& name) override {
    if (name != "worker-0") return fail(ErrorCode::kNotFound, "no expert-worker of this name");
    undrained = name;
    return {};
  }

  bool wait_for_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return held_.size() >= count; });
  }
  bool wait_for_cancelled(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return cancelled_ >= count; });
  }
  // Gives a held job one token.
  void stream_token(std::int32_t token) {
    std::unique_lock lock(mutex_);
    for (const auto& [id, job] : held_) {
      if (job.on_token) {
        job.on_token({token, -0.5F, {}});
      }
    }
  }

  bool hold = false;
  std::optional<Error> refuse_with;
  RouterStatus state;
  std::vector<Job> submitted;
  std::string failed;   // The last process_failed().
  std::string drained;  // The last drain_worker().
  std::string undrained;

 private:
  static void answer(const Job& job) {
    JobResult result;
    if (const auto* generate = std::get_if<GenerateJob>(&job.work)) {
      for (std::int32_t i = 0; i < generate->sampling.max_new_tokens; ++i) {
        result.tokens.push_back({10 + i, -0.5F, {}});
        if (job.on_token) {
          job.on_token(result.tokens.back());
        }
      }
    } else if (const auto* classify = std::get_if<ClassifyJob>(&job.work)) {
      result.logits = {static_cast<float>(classify->input_ids.size()), 2.5F, static_cast<float>(classify->head)};
    } else {
      result.target_logprobs.assign(std::get<ScoreJob>(job.work).target_ids.size(), -0.5F);
    }
    result.routing.routed = 4;
    result.routing.predicted = 4;
    result.routing.agreed = 3;
    if (job.return_experts) {
      result.routing.encoder_experts = {{0, 1}};
    }
    job.done(std::move(result));
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Job> held_;
  std::size_t cancelled_ = 0;
};

// One token per byte: id = byte; the end token is 1. Decoding gives "<id>" for ids that are no printable byte.
class ByteTokenizer : public tokenizer::Tokenizer {
 public:
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text, bool add_special_tokens) const override {
    std::vector<std::int32_t> ids;
    for (const char c : text) {
      ids.push_back(static_cast<unsigned char>(c));
    }
    if (add_special_tokens) {
      ids.push_back(1);
    }
    return ids;
  }
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids, bool) const override {
    std::string text;
    for (const std::int32_t id : ids) {
      text += token(id);
    }
    return text;
  }
  [[nodiscard]] std::int32_t vocab_size() const override { return 256; }
  [[nodiscard]] std::string token(std::int32_t id) const override {
    return id >= 32 && id < 127 ? std::string(1, static_cast<char>(id)) : "<" + std::to_string(id) + ">";
  }
};

}  // namespace sida::router
