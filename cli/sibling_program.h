// Programs that stand beside `sida` in its folder and do a verb's work: those that need LibTorch.
#pragma once

#include <string>

#include "cli/verbs.h"

namespace sida::cli {

// Becomes the program `name` with these arguments; returns only when that failed: the exit code, after an error line.
int become_sibling(const std::string& name, const Arguments& arguments);

}  // namespace sida::cli
