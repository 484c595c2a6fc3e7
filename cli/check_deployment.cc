// `sida check DIR...`: looks the configurations of a deployment over. Each program reads its own files.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/child_process.h"
#include "cli/deployment_check.h"
#include "cli/error_line.h"
#include "cli/verbs.h"
#include "common/config/yaml_file.h"

namespace sida::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes kPatience{1};  // Reading a file takes a moment; longer is no answer.

struct Command {
  std::string program;
  std::vector<std::string> arguments;
};

Command command_for(FileRole role, const std::string& file) {
  const auto of = [&](const char* name, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--config", file, "--print-config"});
    return Command{(programs_directory() / name).string(), std::move(arguments)};
  };
  switch (role) {
    case FileRole::kRouter:
      return of("sida-router", {});
    case FileRole::kPredictor:
      return of("sida-predictor", {});
    case FileRole::kWorker:
      return of("sida-expert-worker", {});
    case FileRole::kServe:
      return of("sida", {"serve"});
  }
  return of("sida", {"serve"});
}

// "error: code: what", with the file in front of what, unless the program named it.
std::string naming(const std::string& file, const std::string& line) {
  auto error = parse_error_line(line);
  if (!error || error->message.find(file) != std::string::npos) return line;
  error->message.insert(0, file + ": ");
  return error_line(*error);
}

// What the program makes of the file. Its own lines about problems are passed on; nothing then.
std::optional<ProcessFile> read_by_its_program(const fs::path& path, FileRole role, std::vector<std::string>& told) {
  const Command command = command_for(role, path.string());
  auto child = ChildProcess::start(command.program, command.arguments, SIGTERM);
  if (!child) {
    told.push_back("error: io: " + child.error().message);
    return std::nullopt;
  }
  std::string output;
  std::vector<std::string> lines;
  while (auto line = child->read_line(kPatience)) {
    output += *line + "\n";
    lines.push_back(*std::move(line));
  }
  const ProcessEnd end = child->wait_end();
  const auto values = config::parse_yaml(output);
  const auto own = config::read_yaml_file(path);
  if (end.signal != 0 || end.exit_code != 0 || !values || !own) {
    for (const std::string& line : lines) told.push_back(naming(path.string(), line));
    if (lines.empty()) told.push_back("error: internal: " + command.program + " said nothing about " + path.string());
    return std::nullopt;
  }
  ProcessFile file{.path = path.string(), .role = role, .values = {}, .lines = {}};
  for (const config::FileEntry& entry : *values) file.values[entry.key] = entry.values;
  for (const config::FileEntry& entry : *own) file.lines[entry.key] = entry.line;
  return file;
}

std::vector<fs::path> yaml_files(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::vector<std::string> look_deployment_over(const fs::path& directory) {
  std::vector<std::string> told;
  std::vector<ProcessFile> files;
  for (const fs::path& path : yaml_files(directory)) {
    const auto role = role_of_file(path.filename().string());
    if (!role) {
      told.push_back("error: invalid_argument: " + path.string() +
                     ": whose is it? name it router….yaml, predictor….yaml, worker….yaml or serve.yaml");
      continue;
    }
    if (auto file = read_by_its_program(path, *role, told)) files.push_back(*std::move(file));
  }
  if (files.empty() && told.empty()) {
    told.push_back("error: invalid_argument: " + directory.string() +
                   ": holds no configuration; expected router.yaml, worker-0.yaml and so on");
  }
  // What a file that cannot be read has to do with the others is not known.
  if (!told.empty()) return told;
  for (const std::string& problem : deployment_problems(files)) told.push_back("error: invalid_argument: " + problem);
  return told;
}

}  // namespace

int check_deployments(const Arguments& directories) {
  bool good = true;
  for (const std::string& directory : directories) {
    const auto told = look_deployment_over(directory);
    for (const std::string& line : told) std::fprintf(stderr, "%s\n", line.c_str());
    if (told.empty()) std::printf("%s: ok\n", directory.c_str());
    good = good && told.empty();
  }
  return good ? 0 : exit_code(ErrorCode::kInvalidArgument);
}

}  // namespace sida::cli
