// sida-bench: what `sida bench` runs. A program of its own, so that the command itself needs no LibTorch.
#include <array>
#include <string>

#include "cli/bench/bench_verbs.h"
#include "cli/verb_table.h"
#include "common/base/result.h"

namespace sida::bench {
namespace {

constexpr std::array kVerbs{
    cli::Verb{"kernel", kernel, "linear layers and experts beside memory bandwidth, register peak and LibTorch"},
    cli::Verb{"offload", offload, "a model in less memory than it needs: policies and budgets, latency, bytes, peak"},
    cli::Verb{"serve", serve, "throughput and latency of a server under load"},
    cli::Verb{"transport", transport, "round trips of rows over every kind of tensor channel"},
};

int run(const Arguments& words) {
  return cli::run_verb(
      words, kVerbs, "Measures, and prints the machine's limit beside each figure.\n\nUsage: sida bench WHAT [FLAGS]\n",
      "\nsida bench WHAT --help tells more.", [](const std::string& word) {
        return exit_code_of(fail(ErrorCode::kInvalidArgument,
                                 "sida bench cannot measure '" + word + "'; sida bench --help lists what it can"));
      });
}

}  // namespace
}  // namespace sida::bench

int main(int argc, char** argv) {
  return sida::bench::run(sida::bench::Arguments(argv + (argc > 0 ? 1 : 0), argv + argc));
}
