#include "cli/trace_header.h"

#include "common/tokenizer/tokenizer.h"
#include "predictor/hash/recorded_routes.h"

namespace sida::cli {

Result<trace::TraceHeader> trace_header_of(const model::ModelDirectory& model) {
  auto tokenizer = tokenizer::fingerprint(model.path());
  if (!tokenizer) return tl::unexpected(std::move(tokenizer).error());
  trace::TraceHeader header = predictor::trace_of(predictor::served_model(model));
  header.tokenizer = *tokenizer;
  header.decoder_start_token = model.config().decoder_start_token_id;
  return header;
}

}  // namespace sida::cli
