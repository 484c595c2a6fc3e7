#include "predictor/hash/oracle.h"

#include <algorithm>
#include <utility>

namespace sida::predictor {
namespace {

struct Replay final : SequenceState {
  const RecordedRoutes* routes = nullptr;  // Null: not recorded, or it has left the record.
  std::size_t position = 0;
};

// Tokens [first, first + tokens) of a stack; those that were not recorded get no prediction.
Predictions replay(const RecordedStack* stack, std::int32_t layers, std::size_t first, std::size_t tokens) {
  Predictions all{.layers = static_cast<std::uint32_t>(layers),
                  .tokens = static_cast<std::uint32_t>(tokens),
                  .k = 1,
                  .experts = std::vector<std::int16_t>(static_cast<std::size_t>(layers) * tokens, -1),
                  .confidences = std::vector<float>(static_cast<std::size_t>(layers) * tokens, 0.0F)};
  if (stack == nullptr) return all;
  for (std::size_t layer = 0; layer < stack->experts.size() && layer < all.layers; ++layer) {
    const auto& experts = stack->experts[layer];
    for (std::size_t token = 0; token < tokens && first + token < experts.size(); ++token) {
      all.experts[layer * tokens + token] = experts[first + token];
      all.confidences[layer * tokens + token] = std::clamp(stack->confidences[layer][first + token], 0.0F, 1.0F);
    }
  }
  return all;
}

}  // namespace

Oracle::Oracle(HashFunctionInfo info, std::vector<RecordedRoutes> recorded) : info_(std::move(info)) {
  info_.kind = "oracle";
  info_.k_max = 1;
  for (RecordedRoutes& routes : recorded) {
    std::vector<std::int32_t> source = routes.source;
    by_source_[std::move(source)] = std::move(routes);
  }
}

std::vector<Beginning> Oracle::begin(std::span<const Source> sources) {
  std::vector<Beginning> all;
  for (const Source& source : sources) {
    const auto found = by_source_.find({source.tokens.begin(), source.tokens.end()});
    auto state = std::make_unique<Replay>();
    if (found != by_source_.end()) state->routes = &found->second;
    const RecordedStack* stack = state->routes == nullptr ? nullptr : &state->routes->encoder;
    all.push_back({replay(stack, info_.encoder_layers, 0, source.tokens.size()), std::move(state)});
  }
  return all;
}

std::vector<Predictions> Oracle::advance(std::span<const DecoderInput> inputs) {
  std::vector<Predictions> all;
  for (const DecoderInput& input : inputs) {
    auto& state = static_cast<Replay&>(*input.state);
    const std::size_t position = state.position++;
    const auto* routes = state.routes;
    if (routes != nullptr &&
        (position >= routes->decoder_input.size() || routes->decoder_input[position] != input.token)) {
      routes = state.routes = nullptr;
    }
    all.push_back(replay(routes == nullptr ? nullptr : &routes->decoder, info_.decoder_layers, position, 1));
  }
  return all;
}

}  // namespace sida::predictor
