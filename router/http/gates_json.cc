#include "router/http/gates_json.h"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

namespace sida::router {
namespace {

static_assert(std::endian::native == std::endian::little);

template <typename T>
std::string base64(const std::vector<T>& values) {
  const std::size_t bytes = values.size() * sizeof(T);
  std::string text(sodium_base64_encoded_len(bytes, sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(values.data()), bytes,
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // The terminating zero.
  return text;
}

nlohmann::json stack_json(const std::vector<GateRecord>& layers) {
  auto json = nlohmann::json::array();
  for (const GateRecord& layer : layers) {
    json.push_back({{"choice", base64(layer.choice)},
                    {"experts", base64(layer.experts)},
                    {"probabilities", base64(layer.probabilities)}});
  }
  return json;
}

std::size_t top_of(const std::vector<GateRecord>& layers) {
  std::size_t top = 0;
  for (const GateRecord& layer : layers) top = std::max(top, layer.top);
  return top;
}

}  // namespace

nlohmann::json gates_json(const RoutingReport& report) {
  return {{"top", std::max(top_of(report.encoder_gates), top_of(report.decoder_gates))},
          {"encoder", stack_json(report.encoder_gates)},
          {"decoder", stack_json(report.decoder_gates)}};
}

}  // namespace sida::router
