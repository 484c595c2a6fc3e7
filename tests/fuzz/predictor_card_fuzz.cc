// Any predictor.json: an error that names the file, or a card whose values are within their limits.
#include <cstdint>

#include "predictor/hash/predictor_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sida;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto card = predictor::parse_predictor_card(text, "predictor.json");
  if (!card) {
    SIDA_CHECK(card.error().code == ErrorCode::kInvalidModel);
    SIDA_CHECK(card.error().message.starts_with("predictor.json: "));
    return 0;
  }
  SIDA_CHECK(card->k >= 1 && card->k <= 8);
  SIDA_CHECK(!card->file.empty() && card->file.find('/') == std::string::npos && card->file != "..");
  return 0;
}
