#include "predictor/predictor_config.h"

#include "common/logging/logging.h"
#include "common/proto/messages.h"

namespace sida::predictor {

config::Schema describe(PredictorConfig& c) {
  config::Schema schema("sida-predictor", "Predicts which experts the tokens of a sequence will use.");
  schema
      .text("listen", c.listen,
            "where routers connect: ipc:///PATH, tcp://127.0.0.1:PORT, or with keys tcp://ADDRESS:PORT")
      .placeholder("ENDPOINT")
      .required();
  config::describe_links(schema, c.links);
  schema.text("model", c.model, "directory of the model that the routers serve").placeholder("DIR").required();
  schema.text("predictor", c.predictor, "directory with predictor.json").placeholder("DIR").required();
  schema.text("name", c.name, "what routers and logs call this process");
  schema.text("alive-file", c.alive_file, "touched every second while the process serves, for a supervisor to look at")
      .placeholder("FILE");
  schema.choice("log-level", c.log_level, log_levels(), "least severe events to log");
  schema.choice("log-format", c.log_format, log_formats(), "of the log");
  schema.rule([&c](std::vector<std::string>& problems) {
    if (c.name.empty() || c.name.size() > proto::kMaxNameBytes) {
      problems.emplace_back("--name must have 1 to " + std::to_string(proto::kMaxNameBytes) + " characters");
    }
  });
  schema.example(
      "sida-predictor --listen ipc:///run/sida/predictor-0.sock --model models/demo --predictor models/demo/predictor");
  return schema;
}

}  // namespace sida::predictor
