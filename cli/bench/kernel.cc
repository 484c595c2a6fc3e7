// `sida bench kernel`: sida's CPU kernels beside memory bandwidth, register peak and LibTorch.
#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/bench/bench_verbs.h"
#include "cli/bench/json_file.h"
#include "cli/bench/kernel_report.h"
#include "common/compute/backend.h"
#include "common/config/configure.h"

namespace sida::bench {
namespace {

constexpr std::int64_t kRowsMax = 4096;
// The scalar kernels specify the others, at a thousandth of their speed: by default they are timed up to here.
constexpr std::int64_t kScalarRowsMax = 8;

struct KernelOptions {
  std::vector<std::int32_t> rows{1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  std::string dtype = "both";
  std::string kernel = "all";
  std::int64_t threads = 1;
  std::int64_t rounds = 7;
  std::uint64_t memory_bytes = std::uint64_t{1} << 30U;
  std::uint64_t weight_bytes = std::uint64_t{448} << 20U;
  std::string json_file;
};

config::Schema describe(KernelOptions& o) {
  config::Schema schema(
      "sida bench kernel",
      "Times a linear layer (3072 x 768) and a whole expert of Switch-base with cold weights, by every\n"
      "kernel that this processor has and by LibTorch, in turn, beside what loads alone get out of memory.\n"
      "One thread is measured in CPU time, more in wall time.");
  schema.integers("rows", o.rows, "numbers of rows");
  schema.choice("dtype", o.dtype, {"both", "bf16", "fp32"}, "of weights and rows");
  schema.text("kernel", o.kernel, "all, or one of those that sida version lists").placeholder("NAME");
  schema.integer("threads", o.threads, {1, 256}, "that compute");
  schema.integer("rounds", o.rounds, {1, 1000}, "of which medians are taken");
  schema.size("memory", o.memory_bytes, "that one pass for the bandwidth reads");
  schema.size("weights", o.weight_bytes, "that the copies of an expert fill, which make them cold");
  schema.text("json", o.json_file, "write everything as JSON").placeholder("FILE");
  schema.rule([&o](std::vector<std::string>& problems) {
    for (const std::int32_t rows : o.rows) {
      if (rows < 1 || rows > kRowsMax) problems.push_back("rows must be from 1 to " + std::to_string(kRowsMax) + ".");
    }
    if (o.rows.empty()) problems.push_back("rows must name at least one number.");
  });
  schema.example("sida bench kernel --json build/kernel.json");
  schema.example("sida bench kernel --rows 1,8 --dtype bf16 --kernel avx512bf16");
  return schema;
}

std::vector<DType> dtypes(const KernelOptions& o) {
  if (o.dtype == "bf16") return {DType::kBFloat16};
  if (o.dtype == "fp32") return {DType::kFloat32};
  return {DType::kBFloat16, DType::kFloat32};
}

bool is_wanted(const KernelOptions& o, const Subject& subject, std::int64_t rows) {
  return o.kernel != "all" || subject.kernel != "scalar" || rows <= kScalarRowsMax;
}

Result<KernelRun> measure(const KernelOptions& o) {
  KernelRun run{.threads = static_cast<int>(o.threads), .rounds = static_cast<int>(o.rounds)};
  MemoryBandwidth memory(o.memory_bytes, run.threads);
  for (const DType dtype : dtypes(o)) {
    KernelSubjects weights({.cpu_kernels = o.kernel == "all" ? compute::cpu_kernels() : std::vector{o.kernel},
                            .dtype = dtype,
                            .threads = run.threads,
                            .weight_bytes = o.weight_bytes});
    for (const std::int32_t rows : o.rows) {
      std::fprintf(stderr, "%s, %d rows\n", std::string(name(dtype)).c_str(), rows);
      auto subjects = weights.with_rows(rows);
      if (!subjects) return tl::unexpected(std::move(subjects).error());
      std::erase_if(*subjects, [&](const Subject& subject) { return !is_wanted(o, subject, rows); });
      auto timings = time_in_rounds(*subjects, dtype, rows, {.rounds = run.rounds, .threads = run.threads}, memory);
      std::move(timings.begin(), timings.end(), std::back_inserter(run.timings));
    }
  }
  return run;
}

Result<void> report(const KernelOptions& o) {
  const auto run = measure(o);
  if (!run) return tl::unexpected(run.error());
  const nlohmann::json json = kernel_json(*run);
  SIDA_TRY(write_json_file(o.json_file, json));
  std::fputs(kernel_markdown(json).c_str(), stdout);
  return {};
}

}  // namespace

int kernel(const Arguments& arguments) {
  KernelOptions options;
  config::Schema schema = describe(options);
  if (const auto exit_code = config::configure(schema, arguments)) return *exit_code;
  return exit_code_of(report(options));
}

}  // namespace sida::bench
