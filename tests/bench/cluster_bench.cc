// Times one request at a time through a cluster whose links are in-process: what the model costs without process
// borders. tests/bench/compare_with_huggingface.py runs it beside real processes and Hugging Face.
//   cluster_bench MODEL WORKERS DTYPE SOURCE_TOKENS NEW_TOKENS REPEATS    prints one JSON object
// With 0 repeats it reads numbers of prompts from its input and answers each with such an object, so that its rounds
// can alternate with those of others (tests/bench/process_split.py).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/runtime/clock.h"
#include "tests/support/in_process_cluster.h"

namespace {

using sida::router::GenerateJob;
using sida::router::Job;

Job job_of(int source_tokens, int new_tokens, int repeat) {
  GenerateJob generate;
  // As in compare_with_huggingface.py: spread over the vocabulary, another prompt each time.
  for (int index = 0; index + 1 < source_tokens; ++index) {
    generate.input_ids.push_back(3 + (index * 7919 + repeat * 104729) % 30000);
  }
  generate.input_ids.push_back(1);
  generate.sampling.max_new_tokens = new_tokens;
  generate.sampling.min_new_tokens = new_tokens;
  return Job{.request = sida::RequestId{1}, .work = generate};
}

double seconds_of(sida::testing::InProcessCluster& cluster, const Job& job) {
  const auto begin = sida::steady_now();
  cluster.run(job);
  return std::chrono::duration<double>(sida::steady_now() - begin).count();
}

double median_seconds(sida::testing::InProcessCluster& cluster, int source_tokens, int new_tokens, int repeats) {
  std::vector<double> seconds;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    seconds.push_back(seconds_of(cluster, job_of(source_tokens, new_tokens, repeat)));
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

void print(double one, double all, int new_tokens) {
  std::printf("{\"first_token_s\": %.6f, \"per_token_s\": %.6f}\n", one, (all - one) / (new_tokens - 1));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: cluster_bench MODEL WORKERS DTYPE SOURCE_TOKENS NEW_TOKENS REPEATS\n");
    return 2;
  }
  const int source_tokens = std::atoi(argv[4]);
  const int new_tokens = std::atoi(argv[5]);
  const int repeats = std::atoi(argv[6]);
  sida::testing::InProcessCluster cluster({.model = argv[1], .workers = std::atoi(argv[2]), .dtype = argv[3]});
  if (repeats == 0) {
    for (int repeat = 0; std::scanf("%d", &repeat) == 1;) {
      const double one = seconds_of(cluster, job_of(source_tokens, 1, repeat));
      print(one, seconds_of(cluster, job_of(source_tokens, new_tokens, repeat)), new_tokens);
    }
    return 0;
  }
  median_seconds(cluster, source_tokens, new_tokens, repeats);  // Reads every expert that the prompts touch.
  const double one = median_seconds(cluster, source_tokens, 1, repeats);
  const double all = median_seconds(cluster, source_tokens, new_tokens, repeats);
  print(one, all, new_tokens);
  return 0;
}
