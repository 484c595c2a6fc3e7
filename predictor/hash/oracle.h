// A hash function that replays recorded routes: what a perfect one would say. For benchmarks and tests.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "predictor/hash/hash_function.h"

namespace sida::predictor {

// What the gate did with one sequence. [layer][token], where a layer's two lists are equally long.
struct RecordedStack {
  std::vector<std::vector<std::int16_t>> experts;  // -1: unknown.
  std::vector<std::vector<float>> confidences;     // The gate's probability of that expert.
};
struct RecordedRoutes {
  std::vector<std::int32_t> source;
  std::vector<std::int32_t> decoder_input;  // The start token first; as many as the decoder's layers have tokens.
  RecordedStack encoder;                    // Over `source`.
  RecordedStack decoder;                    // Over `decoder_input`.
};

// Knows the sources that were recorded, and of each one decoder (the last recorded). Of anything else, and from the
// first decoder token on that is not the recorded one, it says that there is no prediction. k is 1.
class Oracle final : public HashFunction {
 public:
  // `info.kind` and `info.k_max` are set here. Every stack has info's number of layers, or none.
  Oracle(HashFunctionInfo info, std::vector<RecordedRoutes> recorded);

  [[nodiscard]] const HashFunctionInfo& info() const override { return info_; }
  std::vector<Beginning> begin(std::span<const Source> sources) override;
  std::vector<Predictions> advance(std::span<const DecoderInput> inputs) override;

 private:
  HashFunctionInfo info_;
  std::map<std::vector<std::int32_t>, RecordedRoutes> by_source_;
};

}  // namespace sida::predictor
