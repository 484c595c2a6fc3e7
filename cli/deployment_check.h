// Whether the configurations of a deployment's processes fit each other. No I/O: what each program made of its file
// comes in, problems go out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sida::cli {

enum class FileRole { kRouter, kPredictor, kWorker, kServe };

// By the beginning of the file's name: "worker-0.yaml" is a worker's. Nothing: it is no process's.
std::optional<FileRole> role_of_file(std::string_view name);

// One process's configuration.
struct ProcessFile {
  std::string path;
  FileRole role = FileRole::kRouter;
  std::map<std::string, std::vector<std::string>> values;  // By key, defaults included.
  std::map<std::string, int> lines;                        // Of the keys that the file has, from 1.
};

// A sentence per problem, which begins with the file and, where a key is to blame, its line.
std::vector<std::string> deployment_problems(const std::vector<ProcessFile>& files);

}  // namespace sida::cli
