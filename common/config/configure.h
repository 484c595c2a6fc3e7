// Fills a process's configuration: flag over SIDA_* variable over YAML file over default.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/config/schema.h"

namespace sida::config {

struct Invocation {
  std::vector<std::string> arguments;  // Without the program's name.
  std::function<std::optional<std::string>(const std::string& variable)> environment;
};

enum class Action { kRun, kHelp, kPrintConfig };

struct Loaded {
  Action action = Action::kRun;
  std::vector<std::string> problems;  // All of them; run only when there is none.
};

// Pure but for reading the --config file.
Loaded load(Schema& schema, const Invocation& invocation);

// What --print-config prints: a YAML file that gives the same configuration, each line with its source.
std::string config_text(const Schema& schema);

// One table of docs/configuration.md.
std::string markdown(const Schema& schema);

// For main: loads from argv[1..] and the process's environment. Prints help, configuration or one
// `error: invalid_argument: ...` line per problem. Returns the exit code to leave with, or nothing: go on.
std::optional<int> configure(Schema& schema, int argc, const char* const* argv);
std::optional<int> configure(Schema& schema, const std::vector<std::string>& arguments);

}  // namespace sida::config
