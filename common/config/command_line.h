// Splits a command line by a schema. The one file that knows CLI11.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/config/schema.h"

namespace sida::config {

struct CommandLine {
  std::map<std::string, std::vector<std::string>> values;  // By option name; only what was given.
  std::string config_file;                                 // Of --config; empty when not given.
  bool help = false;
  bool print_config = false;
};

// `arguments` without the program's name. Appends one sentence per problem and goes on with the rest.
CommandLine split_command_line(const Schema& schema, const std::vector<std::string>& arguments,
                               std::vector<std::string>& problems);

// What --help prints.
std::string help_text(const Schema& schema);

}  // namespace sida::config
