// `sida train`: becomes the program sida-train, which stands beside this one.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "cli/verbs.h"

namespace sida::cli {

int train(const Arguments& arguments) {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const std::string program = (self.parent_path() / "sida-train").string();
  std::vector<char*> words{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  // LibTorch's threads else spin while they wait for each other: on a busy machine that made two threads 25 times
  // slower than one.
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/0);
  ::execv(program.c_str(), words.data());
  return report({ErrorCode::kIo, program + ": " + std::strerror(errno) + ": install it beside sida"});
}

}  // namespace sida::cli
