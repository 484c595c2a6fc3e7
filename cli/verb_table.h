// A command whose first word is a verb: its help, and the call of the verb.
#pragma once

#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sida::cli {

struct Verb {
  std::string_view name;  // Of a literal, as `summary`.
  int (*run)(const std::vector<std::string>& arguments);
  std::string_view summary;
};

// The exit code. `unknown` makes that of a first word that is no verb. Help is framed by the lines `usage` and `more`.
template <class Unknown>
int run_verb(const std::vector<std::string>& words, std::span<const Verb> verbs, const char* usage, const char* more,
             const Unknown& unknown) {
  const std::string_view wanted = words.empty() ? "--help" : std::string_view(words.front());
  if (wanted == "--help" || wanted == "-h" || wanted == "help") {
    std::puts(usage);
    for (const Verb& verb : verbs) std::printf("  %-12s %s\n", verb.name.data(), verb.summary.data());
    std::puts(more);
    return words.empty() ? 2 : 0;
  }
  for (const Verb& verb : verbs) {
    if (wanted == verb.name) return verb.run({words.begin() + 1, words.end()});
  }
  return unknown(words.front());
}

}  // namespace sida::cli
