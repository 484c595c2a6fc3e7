#include "cli/sibling_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "cli/child_process.h"

namespace sida::cli {

int become_sibling(const std::string& name, const Arguments& arguments) {
  const std::string program = (programs_directory() / name).string();
  std::vector<char*> words{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  return report({ErrorCode::kIo, program + ": " + std::strerror(errno) + ": install it beside sida"});
}

}  // namespace sida::cli
