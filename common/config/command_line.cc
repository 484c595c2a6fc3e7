#include "common/config/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>

namespace sida::config {
namespace {

std::string description(const Option& option) {
  std::string text = option.help();
  if (option.is_required()) {
    return text;
  }
  const bool zero = option.default_text() == "0" && !option.zero_text().empty();
  const std::string fallback = zero ? option.zero_text() : option.default_text();
  if (!fallback.empty() && option.shape() != Option::Shape::kSwitch) {
    text += " [" + fallback + "]";
  }
  return text;
}

CLI::Option* add_option(CLI::App& app, const Option& option) {
  switch (option.shape()) {
    case Option::Shape::kSwitch:
      return app.add_flag("--" + option.name() + ",!--no-" + option.name())->description(description(option));
    case Option::Shape::kPositional:
      return app.add_option(option.name(), CLI::callback_t{}, description(option))->option_text(option.placeholder());
    default:
      return app.add_option("--" + option.name(), CLI::callback_t{}, description(option))
          ->option_text(option.placeholder() + (option.is_required() ? " REQUIRED" : ""));
  }
}

struct Parser {
  CLI::App app;
  std::map<std::string, CLI::Option*> options;
  CLI::Option* config_file = nullptr;
  CLI::Option* print_config = nullptr;
  CLI::Option* help = nullptr;
};

void build(Parser& parser, const Schema& schema) {
  CLI::App& app = parser.app;
  app.description(schema.summary());
  app.name(schema.program());
  app.set_help_flag();
  app.allow_extras();
  app.get_formatter()->column_width(34);
  for (const auto& option : schema.options()) {
    // How often a value may be given is judged by Option::assign, for all layers alike.
    parser.options[option->name()] =
        add_option(app, *option)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
  }
  parser.config_file =
      app.add_option("--config", CLI::callback_t{}, "YAML file whose keys are the names of these flags")
          ->option_text("FILE")
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  parser.print_config =
      app.add_flag("--print-config")->description("print every value and where it came from, then leave");
  parser.help = app.add_flag("--help,-h")->description("print this, then leave");
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

std::string unknown(const Schema& schema, const std::string& argument) {
  const std::string given = argument.substr(0, argument.find('='));
  std::string nearest;
  std::size_t distance_min = 4;  // Farther than three letters apart is another word.
  for (const auto& option : schema.options()) {
    const std::string flag = "--" + option->name();
    const std::size_t distance = edit_distance(given, flag);
    if (option->shape() != Option::Shape::kPositional && distance < distance_min) {
      distance_min = distance;
      nearest = flag;
    }
  }
  return "unknown argument '" + argument + "'" +
         (nearest.empty() ? "; " + schema.program() + " --help lists what there is"
                          : ", did you mean " + nearest + "?");
}

}  // namespace

CommandLine split_command_line(const Schema& schema, const std::vector<std::string>& arguments,
                               std::vector<std::string>& problems) {
  CommandLine line;
  try {
    Parser parser;
    build(parser, schema);
    parser.app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them reversed.
    for (const auto& [name, option] : parser.options) {
      if (option->count() > 0) {
        line.values[name] = option->results();
      }
    }
    line.config_file = parser.config_file->count() > 0 ? parser.config_file->results().back() : "";
    line.help = parser.help->count() > 0;
    line.print_config = parser.print_config->count() > 0;
    for (const std::string& argument : parser.app.remaining()) {
      problems.push_back(unknown(schema, argument));
    }
  } catch (const CLI::Error& error) {
    problems.emplace_back(error.what());
  }
  return line;
}

std::string help_text(const Schema& schema) {
  Parser parser;
  build(parser, schema);
  std::string footer;
  if (!schema.examples().empty()) {
    footer = "Examples:\n";
    for (const std::string& example : schema.examples()) {
      footer += "  " + example + "\n";
    }
  }
  footer += "\nEvery flag can also be set by a variable (--expert-memory: SIDA_EXPERT_MEMORY) or in the file of\n";
  footer += "--config. A flag wins over a variable, a variable over the file, the file over the default.\n";
  parser.app.footer(footer);
  return parser.app.help();
}

}  // namespace sida::config
