#include "router/http/served_model.h"

#include <algorithm>

#include "router/http/json_fields.h"

namespace sida::router {

ApiResult<std::vector<std::int32_t>> encode_text(const ServedModel& model, const nlohmann::json& text,
                                                 const char* param, std::int64_t tokens_max) {
  if (auto short_enough = check_text_bytes(text, param, tokens_max); !short_enough) {
    return tl::unexpected<ApiError>(short_enough.error());
  }
  if (model.tokenizer == nullptr) {
    return refuse(param, "this model has no tokenizer: send token ids instead of text");
  }
  return model.tokenizer->encode(text.get_ref<const std::string&>(), /*add_special_tokens=*/true);
}

bool has_text(const ServedModel& model, std::int32_t id) {
  return id != model.pad_token_id &&
         std::find(model.eos_token_ids.begin(), model.eos_token_ids.end(), id) == model.eos_token_ids.end();
}

std::string decode_text(const ServedModel& model, std::span<const std::int32_t> ids) {
  if (model.tokenizer == nullptr) {
    return "";
  }
  std::vector<std::int32_t> kept;
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(kept),
               [&model](std::int32_t id) { return has_text(model, id); });
  return model.tokenizer->decode(kept, /*skip_special_tokens=*/false);
}

ApiResult<void> check_model(const ServedModel& model, const std::string& requested) {
  if (requested.empty() || requested == model.name) {
    return {};
  }
  return tl::unexpected<ApiError>(
      ApiError{404, "model_not_found", "this server serves '" + model.name + "' only", "model"});
}

}  // namespace sida::router
