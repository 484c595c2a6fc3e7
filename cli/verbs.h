// The verbs of the `sida` command. Each takes the arguments after its name and returns the exit code: 0 done, 1 failed,
// 2 usage or configuration, 3 the model, predictor or trace is invalid.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace sida::cli {

using Arguments = std::vector<std::string>;

int serve(const Arguments& arguments);
int generate(const Arguments& arguments);
int score(const Arguments& arguments);
int trace(const Arguments& arguments);
int evaluate(const Arguments& arguments);
int bench(const Arguments& arguments);
int convert(const Arguments& arguments);
int make_model(const Arguments& arguments);
int train(const Arguments& arguments);
int check(const Arguments& arguments);
// `sida check DIR...`, part of check().
int check_deployments(const Arguments& directories);
int keys(const Arguments& arguments);
int status(const Arguments& arguments);
int version(const Arguments& arguments);

// Prints "error: <code>: <message>" on stderr; the exit code that goes with it.
int report(const Error& error);

}  // namespace sida::cli
