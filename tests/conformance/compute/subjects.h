// The implementations of compute::Backend under test, and the fixture that every suite of this folder shares.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "common/compute/backend.h"

namespace sida::compute {

struct Subject {
  std::string name;
  std::function<Result<std::unique_ptr<Backend>>(int threads)> make;
};

// So that test names hold the name and not the bytes of the struct.
void PrintTo(const Subject& subject, std::ostream* out);  // NOLINT: the name that GoogleTest looks for.

// Every implementation, usable on this machine or not.
std::vector<Subject> subjects();

std::string subject_name(const testing::TestParamInfo<Subject>& info);

// Skips, with the reason, where this machine cannot run the subject.
class BackendConformance : public testing::TestWithParam<Subject> {
 protected:
  void SetUp() override;

  [[nodiscard]] std::unique_ptr<Backend> with_threads(int threads) const;

  // The kernels that define the bits; null where the subject promises other bits (another numerics id).
  [[nodiscard]] std::unique_ptr<Backend> specification() const;

  std::unique_ptr<Backend> backend;
};

}  // namespace sida::compute
