// What `sida bench` measures. Each takes the arguments after its name and returns the exit code, as cli/verbs.h.
#pragma once

#include <string>
#include <vector>

namespace sida::bench {

using Arguments = std::vector<std::string>;

int kernel(const Arguments& arguments);
int offload(const Arguments& arguments);
int serve(const Arguments& arguments);
int transport(const Arguments& arguments);

}  // namespace sida::bench
