// docs/configuration.md is what the programs' own descriptions say. SIDA_UPDATE_DOCS=1 writes it anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "cli/cluster_options.h"
#include "common/config/configure.h"
#include "expert-worker/worker_config.h"
#include "predictor/predictor_config.h"
#include "router/router_config.h"

namespace sida {
namespace {

const std::string kPath = std::string(SIDA_SOURCE_DIR) + "/docs/configuration.md";

const char* const kPreface = R"(# Configuration

Every program takes flags, `SIDA_*` variables, and a YAML file named by `--config`; a flag is stronger than a variable, a
variable than the file, the file than the default. Keys of the file are the flags' names. Unknown keys are errors, and all
problems are told at once. `--print-config` shows each value and where it came from, `--help` what there is.

Sizes are written `512MiB`, `8GiB` or in bytes, durations `250ms`, `30s`, `5m`.

This page is made from the programs' own descriptions and checked by a test.
)";

std::string generated() {
  cli::ClusterOptions cluster;
  config::Schema serve("sida serve", "A whole cluster on this host.");
  cli::describe_cluster(serve, cluster, true);
  config::describe_access(serve, cluster.access);
  router::RouterConfig router;
  predictor::PredictorConfig predictor;
  worker::WorkerConfig worker;
  std::string text = kPreface;
  text += "\n" + config::markdown(serve);
  text += "\n" + config::markdown(describe(router));
  text += "\n" + config::markdown(describe(predictor));
  text += "\n" + config::markdown(describe(worker));
  return text;
}

TEST(ConfigurationReference, IsWhatTheProgramsSay) {
  const std::string expected = generated();
  if (std::getenv("SIDA_UPDATE_DOCS") != nullptr) std::ofstream(kPath) << expected;
  std::ostringstream found;
  found << std::ifstream(kPath).rdbuf();
  EXPECT_EQ(found.str(), expected) << "run this test with SIDA_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace sida
