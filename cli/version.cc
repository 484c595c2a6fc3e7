// `sida version`: which build this is and what it finds on this machine.
#include "common/base/version.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "cli/generate_output.h"
#include "cli/verbs.h"
#include "common/compute/backend.h"
#include "common/config/configure.h"
#include "common/model/store_manifest.h"
#include "common/tensor/packed_matrix.h"

namespace sida::cli {

int version(const Arguments& arguments) {
  bool json = false;
  config::Schema schema("sida version", "Shows version, commit, compiler, LibTorch, CPU kernels and devices found.");
  schema.toggle("json", json, "print one JSON object");
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  const nlohmann::json found{{"version", sida::version()},
                             {"commit", commit()},
                             {"compiler", compiler()},
                             {"libtorch", SIDA_LIBTORCH_VERSION},
                             {"cpu_kernels", compute::cpu_kernels()},
                             {"store",
                              {{"version", model::kStoreVersion},
                               {"layouts", {packed_layout(DType::kBFloat16), packed_layout(DType::kFloat32)}}}},
                             {"devices", nlohmann::json::array({"cpu"})}};
  if (json) {
    std::printf("%s\n", print_json(found).c_str());
    return 0;
  }
  std::string kernels;
  for (const std::string& kernel : compute::cpu_kernels()) {
    kernels += " " + kernel;
  }
  std::printf("sida %s (%s)\ncompiler     %s\nlibtorch     %s\ncpu kernels %s\nstore format %d\ndevices      cpu\n",
              std::string(sida::version()).c_str(), std::string(commit()).c_str(), std::string(compiler()).c_str(),
              SIDA_LIBTORCH_VERSION, kernels.c_str(), model::kStoreVersion);
  return 0;
}

}  // namespace sida::cli
