// sida-bench: what `sida bench` runs. A program of its own, so that the command itself needs no LibTorch.
#include <array>
#include <cstdio>
#include <string_view>

#include "cli/bench/bench_verbs.h"
#include "common/base/result.h"

namespace sida::bench {
namespace {

struct Verb {
  std::string_view name;
  int (*run)(const Arguments&);
  std::string_view summary;
};

constexpr std::array kVerbs{
    Verb{"kernel", kernel, "linear layers and experts beside memory bandwidth, register peak and LibTorch"},
    Verb{"transport", transport, "round trips of rows over every kind of tensor channel"},
};

void print_help() {
  std::puts("Measures, and prints the machine's limit beside each figure.\n\nUsage: sida bench WHAT [FLAGS]\n");
  for (const Verb& verb : kVerbs) {
    std::printf("  %-12s %s\n", verb.name.data(), verb.summary.data());
  }
  std::puts("\nsida bench WHAT --help tells more.");
}

int run(const Arguments& words) {
  const std::string_view wanted = words.empty() ? "--help" : std::string_view(words.front());
  if (wanted == "--help" || wanted == "-h" || wanted == "help") {
    print_help();
    return words.empty() ? 2 : 0;
  }
  for (const Verb& verb : kVerbs) {
    if (wanted == verb.name) return verb.run(Arguments(words.begin() + 1, words.end()));
  }
  return exit_code_of(fail(ErrorCode::kInvalidArgument,
                           "sida bench cannot measure '" + words.front() + "'; sida bench --help lists what it can"));
}

}  // namespace
}  // namespace sida::bench

int main(int argc, char** argv) {
  return sida::bench::run(sida::bench::Arguments(argv + (argc > 0 ? 1 : 0), argv + argc));
}
