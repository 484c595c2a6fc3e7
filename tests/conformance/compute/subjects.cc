#include "tests/conformance/compute/subjects.h"

#include <utility>

namespace sida::compute {
namespace {

Subject cpu_kernel(const std::string& kernel) {
  return {"cpu_" + kernel, [kernel](int threads) { return make_cpu_backend({.kernel = kernel, .threads = threads}); }};
}

}  // namespace

void PrintTo(const Subject& subject, std::ostream* out) {
  *out << subject.name;
}

std::vector<Subject> subjects() {
  return {cpu_kernel("avx512bf16"), cpu_kernel("avx512"), cpu_kernel("avx2"), cpu_kernel("scalar")};
}

std::string subject_name(const testing::TestParamInfo<Subject>& info) {
  return info.param.name;
}

void BackendConformance::SetUp() {
  auto made = GetParam().make(1);
  if (!made) GTEST_SKIP() << made.error().message;
  backend = std::move(*made);
}

std::unique_ptr<Backend> BackendConformance::with_threads(int threads) const {
  return GetParam().make(threads).value();
}

std::unique_ptr<Backend> BackendConformance::specification() const {
  auto scalar = make_cpu_backend({.kernel = "scalar", .threads = 1}).value();
  if (scalar->capabilities().numerics_id != backend->capabilities().numerics_id) return nullptr;
  return scalar;
}

}  // namespace sida::compute
