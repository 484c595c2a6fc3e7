#include "predictor/hash/recorded_routes.h"

#include <cmath>
#include <utility>
#include <vector>

#include "common/trace/fit.h"
#include "common/trace/trace_reader.h"
#include "predictor/hash/oracle.h"

namespace sida::predictor {
namespace {

RecordedStack stack_of(const std::vector<trace::TracedLayer>& layers, std::size_t top) {
  RecordedStack stack;
  for (const trace::TracedLayer& layer : layers) {
    stack.experts.push_back(layer.served);
    std::vector<float> confidences;
    for (std::size_t token = 0; token < layer.served.size(); ++token) {
      // The gate's probability of its choice, which is the first of those recorded.
      confidences.push_back(layer.served[token] < 0 ? 0 : std::exp(layer.top_log_probabilities[token * top]));
    }
    stack.confidences.push_back(std::move(confidences));
  }
  return stack;
}

}  // namespace

trace::TraceHeader trace_of(const ServedModel& model) {
  return {.model = model.fingerprint,
          .num_experts = static_cast<std::int32_t>(model.num_experts),
          .encoder_layers = model.geometry.encoder_moe_layers,
          .decoder_layers = model.geometry.decoder_moe_layers,
          .vocab_size = static_cast<std::int32_t>(model.vocab_size)};
}

Result<std::unique_ptr<HashFunction>> open_recorded_routes(const std::filesystem::path& path,
                                                           const ServedModel& model) {
  auto reader = trace::TraceReader::open(path);
  if (!reader) return tl::unexpected(std::move(reader).error());
  const trace::TraceHeader header = reader->header();
  SIDA_TRY(trace::check_fits(path.string(), header, trace_of(model)));
  const auto top = static_cast<std::size_t>(header.top());
  std::vector<RecordedRoutes> recorded;
  while (true) {
    const auto sequence = reader->next();
    if (!sequence) return tl::unexpected(sequence.error());
    if (!*sequence) break;
    recorded.push_back({.source = (*sequence)->source,
                        .decoder_input = trace::decoder_input(header, **sequence),
                        .encoder = stack_of((*sequence)->encoder, top),
                        .decoder = stack_of((*sequence)->decoder, top)});
  }
  SIDA_TRY(trace::check_whole(path.string(), *reader));
  return std::make_unique<Oracle>(HashFunctionInfo{.predictor = model.fingerprint,
                                                   .encoder_layers = header.encoder_layers,
                                                   .decoder_layers = header.decoder_layers},
                                  std::move(recorded));
}

}  // namespace sida::predictor
