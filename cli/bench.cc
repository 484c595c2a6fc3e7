// `sida bench`: becomes the program sida-bench (cli/bench).
#include "cli/sibling_program.h"
#include "cli/verbs.h"

namespace sida::cli {

int bench(const Arguments& arguments) {
  return become_sibling("sida-bench", arguments);
}

}  // namespace sida::cli
