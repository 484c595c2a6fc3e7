#include "common/model/json_document.h"

namespace sida::model {

using nlohmann::json;

Result<json> parse_json_document(std::string_view text) {
  constexpr int kDepthMax = 32;
  if (text.size() > kJsonDocumentBytesMax) return fail(ErrorCode::kInvalidModel, "longer than 1 MiB");
  bool too_deep = false;
  const auto watch_depth = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kDepthMax;
    return !too_deep;
  };
  json document = json::parse(text.begin(), text.end(), watch_depth, /*allow_exceptions=*/false);
  if (too_deep) return fail(ErrorCode::kInvalidModel, "nested too deeply");
  if (!document.is_object()) return fail(ErrorCode::kInvalidModel, "not a JSON object");
  return document;
}

}  // namespace sida::model
