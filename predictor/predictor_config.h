// The predictor process's configuration.
#pragma once

#include <string>

#include "common/config/link_options.h"
#include "common/config/schema.h"

namespace sida::predictor {

struct PredictorConfig {
  std::string listen;  // Endpoint of the control link.
  config::LinkOptions links;
  std::string model;      // Directory.
  std::string predictor;  // Directory.
  std::string name = "predictor-0";
  std::string alive_file;  // Touched while the process serves; empty: none.
  std::string log_level = "info";
  std::string log_format = "text";  // Or json.
};

config::Schema describe(PredictorConfig& config);

}  // namespace sida::predictor
