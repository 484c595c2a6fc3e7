#include "common/config/configure.h"

#include <cstdio>
#include <cstdlib>

#include "common/config/command_line.h"
#include "common/config/yaml_file.h"

namespace sida::config {
namespace {

std::string_view source_text(Source source) {
  switch (source) {
    case Source::kDefault:
      return "default";
    case Source::kFile:
      return "file";
    case Source::kEnvironment:
      return "environment";
    case Source::kFlag:
      return "flag";
  }
  return "";
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

void assign(Option& option, const std::vector<std::string>& values, Source source, const std::string& place,
            std::vector<std::string>& problems) {
  if (auto done = option.assign(values, source); !done) {
    problems.push_back(place + ": " + done.error().message);
  }
}

void load_file(Schema& schema, const std::string& path, std::vector<std::string>& problems) {
  auto entries = read_yaml_file(path);
  if (!entries) {
    problems.push_back(entries.error().message);
    return;
  }
  for (const FileEntry& entry : *entries) {
    const std::string place = path + ": line " + std::to_string(entry.line);
    Option* option = schema.find(entry.key);
    if (option == nullptr || option->shape() == Option::Shape::kPositional) {
      problems.push_back(place + ": unknown key '" + entry.key + "'; " + schema.program() + " --help lists them");
      continue;
    }
    assign(*option, entry.values, Source::kFile, place + ": " + entry.key, problems);
  }
}

void load_environment(Schema& schema, const Invocation& invocation, std::vector<std::string>& problems) {
  for (const auto& option : schema.options()) {
    if (option->shape() == Option::Shape::kPositional) {
      continue;
    }
    if (const auto value = invocation.environment(option->variable())) {
      const bool list = option->shape() == Option::Shape::kList;
      assign(*option, list ? split_at_commas(*value) : std::vector<std::string>{*value}, Source::kEnvironment,
             option->variable(), problems);
    }
  }
}

// Single quotes keep every character of a value as it is in YAML.
std::string yaml_scalar(const std::string& value) {
  std::string text = "'";
  for (const char c : value) {
    text += c == '\'' ? "''" : std::string(1, c);
  }
  return text + "'";
}

std::string shown(const Option& option, const std::string& value) {
  return yaml_scalar(option.is_secret() && !value.empty() ? "(hidden)" : value);
}

std::string markdown_cell(const std::string& text) {
  std::string cell;
  for (const char c : text) {
    cell += c == '|' ? std::string("\\|") : std::string(1, c);
  }
  return cell;
}

}  // namespace

Loaded load(Schema& schema, const Invocation& invocation) {
  Loaded loaded;
  const CommandLine line = split_command_line(schema, invocation.arguments, loaded.problems);
  if (line.help) {
    return {Action::kHelp, {}};
  }
  const auto variable = invocation.environment("SIDA_CONFIG");
  const std::string file = line.config_file.empty() ? variable.value_or("") : line.config_file;
  if (!file.empty()) {
    load_file(schema, file, loaded.problems);
  }
  load_environment(schema, invocation, loaded.problems);
  for (const auto& [name, values] : line.values) {
    Option& option = *schema.find(name);
    const bool by_position = option.shape() == Option::Shape::kPositional;
    assign(option, values, Source::kFlag, by_position ? option.placeholder() : "--" + name, loaded.problems);
  }
  const auto broken = schema.validate();
  loaded.problems.insert(loaded.problems.end(), broken.begin(), broken.end());
  loaded.action = line.print_config ? Action::kPrintConfig : Action::kRun;
  return loaded;
}

std::string config_text(const Schema& schema) {
  std::string text;
  for (const auto& option : schema.options()) {
    if (option->shape() == Option::Shape::kPositional) {
      continue;
    }
    const bool list = option->shape() == Option::Shape::kList;
    std::string value = list ? "" : shown(*option, option->values().front());
    if (list) {
      for (const std::string& element : option->values()) {
        value += (value.empty() ? "" : ", ") + shown(*option, element);
      }
      value = "[" + value + "]";
    }
    text += option->name() + ": " + value + "  # " + std::string(source_text(option->source())) + "\n";
  }
  return text;
}

std::string markdown(const Schema& schema) {
  std::string text = "## `" + schema.program() + "`\n\n" + schema.summary() + "\n\n";
  text += "| flag and file key | variable | default | meaning |\n| --- | --- | --- | --- |\n";
  for (const auto& option : schema.options()) {
    const bool by_position = option->shape() == Option::Shape::kPositional;
    const bool has_word = !by_position && option->shape() != Option::Shape::kSwitch;
    const std::string flag =
        by_position ? option->placeholder() : "--" + option->name() + (has_word ? " " + option->placeholder() : "");
    std::string fallback = option->is_required() ? "required" : option->default_text();
    if (fallback == "0" && !option->zero_text().empty()) {
      fallback += ": " + option->zero_text();
    }
    text += "| `" + markdown_cell(flag) + "` | " + (by_position ? "" : "`" + option->variable() + "`") + " | " +
            markdown_cell(fallback) + " | " + markdown_cell(option->help()) + " |\n";
  }
  return text + "\n";
}

std::optional<int> configure(Schema& schema, int argc, const char* const* argv) {
  return configure(schema, std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}

std::optional<int> configure(Schema& schema, const std::vector<std::string>& arguments) {
  const auto environment = [](const std::string& variable) -> std::optional<std::string> {
    const char* value = std::getenv(variable.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  const Loaded loaded = load(schema, {arguments, environment});
  if (loaded.action == Action::kHelp) {
    std::fputs(help_text(schema).c_str(), stdout);
    return 0;
  }
  for (const std::string& problem : loaded.problems) {
    std::fprintf(stderr, "error: invalid_argument: %s\n", problem.c_str());
  }
  if (!loaded.problems.empty()) {
    return exit_code(ErrorCode::kInvalidArgument);
  }
  if (loaded.action == Action::kPrintConfig) {
    std::fputs(config_text(schema).c_str(), stdout);
    return 0;
  }
  return std::nullopt;
}

}  // namespace sida::config
