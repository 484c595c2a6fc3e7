// All experts of a model in this process: what a worker computes, without links. For tests and benchmarks of the trunk.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "common/compute/backend.h"
#include "common/model/model_directory.h"
#include "router/trunk/experts.h"

namespace sida::testing {

class LocalExperts : public router::Experts {
 public:
  // References outlive it.
  LocalExperts(const model::ModelDirectory& model, compute::Backend& backend, DType dtype);

  void start(router::ExpertCall& call) override { waiting_.push_back(&call); }
  void later(std::coroutine_handle<> paused) override { paused_.push_back(paused); }

  // Computes and resumes calls until none waits.
  void run_all();
  // Resumes or computes for one coroutine; false when none waits.
  bool run_one();
  // How often a coroutine let others through.
  [[nodiscard]] std::uint64_t pauses() const { return pauses_; }

 private:
  const PackedFfn& expert(ExpertKey key);
  void compute(router::ExpertCall& call);

  const model::ModelDirectory& model_;
  compute::Backend& backend_;
  DType dtype_;
  std::deque<router::ExpertCall*> waiting_;
  std::deque<std::coroutine_handle<>> paused_;
  std::uint64_t pauses_ = 0;
  std::map<ExpertKey, PackedFfn> experts_;
  std::deque<std::vector<std::byte>> memory_;
};

}  // namespace sida::testing
