// The `sida` command: a verb, then its flags.
#include <array>
#include <cstdio>
#include <string>

#include "cli/error_line.h"
#include "cli/verb_table.h"
#include "cli/verbs.h"

namespace sida::cli {
namespace {

constexpr std::array kVerbs{
    Verb{"serve", serve, "run a whole cluster on this host"},
    Verb{"generate", generate, "answer one prompt"},
    Verb{"score", score, "log-probabilities and perplexity of a target"},
    Verb{"trace", trace, "record what the gates decide about texts"},
    Verb{"evaluate", evaluate, "measure hash functions and routing modes on a trace"},
    Verb{"bench", bench, "measure this machine and what sida makes of it"},
    Verb{"convert", convert, "write an expert store from a model directory"},
    Verb{"make-model", make_model, "write a model of random weights"},
    Verb{"train", train, "learn a hash function from recorded routes"},
    Verb{"check", check, "look a model directory over"},
    Verb{"keys", keys, "make keys for links between hosts"},
    Verb{"status", status, "show a running cluster"},
    Verb{"version", version, "show version, kernels and devices"},
};

int run(Arguments words) {
  if (!words.empty() && words.front() == "--version") words.front() = "version";
  return run_verb(
      words, kVerbs,
      "Serves Mixture-of-Experts models that are larger than the memory at hand.\n\nUsage: sida VERB [FLAGS]\n",
      "\nsida VERB --help tells more.", [](const std::string& word) {
        return report({ErrorCode::kInvalidArgument, "unknown verb '" + word + "'; sida --help lists them"});
      });
}

}  // namespace

int report(const Error& error) {
  std::fprintf(stderr, "%s\n", error_line(error).c_str());
  return exit_code(error.code);
}

}  // namespace sida::cli

int main(int argc, char** argv) {
  return sida::cli::run(sida::cli::Arguments(argv + (argc > 0 ? 1 : 0), argv + argc));
}
