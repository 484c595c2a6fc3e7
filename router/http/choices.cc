// Which sequences become the choices of a completion's reply.
#include <algorithm>
#include <utility>

#include "router/http/completions_response.h"

namespace sida::router {
namespace {

// Higher is better. A sequence without tokens, which only an early stop string leaves, says nothing against itself.
double mean_logprob(const Choice& choice) {
  double sum = 0;
  for (const GeneratedToken& token : choice.tokens) sum += static_cast<double>(token.logprob);
  return choice.tokens.empty() ? 0 : sum / static_cast<double>(choice.tokens.size());
}

// The decoder's rows of one beam.
template <typename Layers>
Layers of_rows(const Layers& layers, const std::vector<std::size_t>& rows) {
  Layers picked(layers.size());
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    for (const std::size_t row : rows) {
      if (row < layers[layer].size()) picked[layer].push_back(layers[layer][row]);
    }
  }
  return picked;
}

void add_beams(const ServedModel& model, const JobResult& result, Choices& choices) {
  for (const BeamResult& beam : result.beams) {
    Choice choice = apply_stop(model, {}, {.tokens = beam.tokens, .finish_reason = beam.finish_reason});
    choice.score = beam.score;
    choice.routing = result.routing;
    choice.routing.decoder_experts = of_rows(result.routing.decoder_experts, beam.rows);
    choice.routing.decoder_weights = of_rows(result.routing.decoder_weights, beam.rows);
    choices.tokens += choice.tokens.size();
    choices.chosen.push_back(std::move(choice));
  }
}

}  // namespace

Choices choose(const CompletionsRequest& request, const ServedModel& model, const std::vector<JobResult>& results) {
  Choices choices;
  const auto per_prompt = static_cast<std::ptrdiff_t>(request.best_of);
  std::vector<Choice> of_prompt;
  for (const JobResult& result : results) {
    if (request.sampling.beam_search) {
      add_beams(model, result, choices);
      continue;
    }
    Choice choice = apply_stop(model, request.stop, result);
    choice.routing = result.routing;
    choices.tokens += choice.tokens.size();
    of_prompt.push_back(std::move(choice));
    if (std::ssize(of_prompt) < per_prompt) continue;
    if (request.best_of > request.choices_per_prompt) {
      std::ranges::stable_sort(of_prompt, std::greater<>(), mean_logprob);
      of_prompt.resize(static_cast<std::size_t>(request.choices_per_prompt));
    }
    std::ranges::move(of_prompt, std::back_inserter(choices.chosen));
    of_prompt.clear();
  }
  return choices;
}

}  // namespace sida::router
