// Any bytes as the config.json of a classification head: refused, or every label is there.
#include <cstdint>
#include <string_view>

#include "common/model/classification_head.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sida::model;
  const auto config = parse_head_config({reinterpret_cast<const char*>(data), size});
  if (!config) {
    SIDA_CHECK(config.error().code == sida::ErrorCode::kInvalidModel);
    return 0;
  }
  for (const std::string& label : config->labels) SIDA_CHECK(!label.empty());
  return 0;
}
