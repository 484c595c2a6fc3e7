// `sida train`: becomes the program sida-train.
#include <cstdlib>

#include "cli/sibling_program.h"
#include "cli/verbs.h"

namespace sida::cli {

int train(const Arguments& arguments) {
  // LibTorch's threads else spin while they wait for each other: on a busy machine that made two threads 25 times
  // slower than one.
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/0);
  return become_sibling("sida-train", arguments);
}

}  // namespace sida::cli
