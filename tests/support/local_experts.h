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

  // Computes and resumes calls until none waits.
  void run_all();

 private:
  const PackedFfn& expert(ExpertKey key);
  void compute(router::ExpertCall& call);

  const model::ModelDirectory& model_;
  compute::Backend& backend_;
  DType dtype_;
  std::deque<router::ExpertCall*> waiting_;
  std::map<ExpertKey, PackedFfn> experts_;
  std::deque<std::vector<std::byte>> memory_;
};

}  // namespace sida::testing
