#include "cli/trace_header.h"

#include "common/tokenizer/tokenizer.h"

namespace sida::cli {

Result<trace::TraceHeader> trace_header_of(const model::ModelDirectory& model) {
  auto tokenizer = tokenizer::fingerprint(model.path());
  if (!tokenizer) return tl::unexpected(std::move(tokenizer).error());
  return trace::TraceHeader{.model = model.fingerprint(),
                            .tokenizer = *tokenizer,
                            .num_experts = static_cast<std::int32_t>(model.config().num_experts),
                            .encoder_layers = model.geometry().encoder_moe_layers,
                            .decoder_layers = model.geometry().decoder_moe_layers,
                            .vocab_size = static_cast<std::int32_t>(model.config().vocab_size),
                            .decoder_start_token = model.config().decoder_start_token_id};
}

}  // namespace sida::cli
