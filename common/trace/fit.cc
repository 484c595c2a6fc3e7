#include "common/trace/fit.h"

namespace sida::trace {

Result<void> check_fits(const std::string& path, const TraceHeader& header, const TraceHeader& model) {
  if (header.model != model.model) {
    return fail(ErrorCode::kMismatch, path + ": recorded with model " + model::to_hex(header.model).substr(0, 12) +
                                          ", but the model is " + model::to_hex(model.model).substr(0, 12) +
                                          ": record it anew with sida trace");
  }
  if (header.num_experts != model.num_experts || header.encoder_layers != model.encoder_layers ||
      header.decoder_layers != model.decoder_layers || header.vocab_size != model.vocab_size) {
    return fail(
        ErrorCode::kMismatch,
        path + ": tells of other layers, experts or tokens than the model has: record it " + "anew with sida trace");
  }
  return {};
}

Result<void> check_whole(const std::string& path, const TraceReader& reader) {
  if (reader.truncated_tail() == 0) return {};
  return fail(ErrorCode::kInvalidModel, path + ": ends inside a sequence, of which it has " +
                                            std::to_string(reader.truncated_tail()) +
                                            " bytes: the same sida trace command goes on with it");
}

}  // namespace sida::trace
