// What makes two copies of a model the same model.
#pragma once

#include "common/base/result.h"
#include "common/model/checked_model.h"
#include "common/model/fingerprint_type.h"
#include "common/model/weight_files.h"

namespace sida::model {

// A model's fingerprint is BLAKE2b-256 (libsodium's crypto_generichash, no key) over, in this order:
//   1. "sida-model-1\n";
//   2. one line "key=value\n" each: vocab_size, d_model, d_kv, d_ff, num_heads, num_experts, num_buckets, max_distance,
//      expert_capacity, layer_norm_epsilon (bits of the float as eight hexadecimal digits), tie_word_embeddings (0 or
//      1), router_bias (0 or 1), and hash_routing=1 for a model that has it. Token ids are left out: they do not change
//      what a step computes;
//   3. one line "name dtype size,size\n" for every tensor the model uses, by canonical name (geometry.h), sorted by
//      name as bytes; dtype is fp32, bf16 or fp16;
//   4. the bytes, as stored, of the embeddings (shared.weight, or the two embed_tokens and lm_head when untied) and of
//      all router.classifier and router.token_experts tensors, sorted by canonical name.
// So file format, sharding, aliases and unused tensors do not matter; dtype and values of embedding and gates do.
// An expert store has the fingerprint of the model that it was made from, whatever the type of its blocks: it keeps the
// bytes of embedding and gates, and remembers the types of the experts' tensors.
//
// Blocks on disk; reads a few MiB at a time. Errors: those of WeightFiles::read.
[[nodiscard]] Result<Fingerprint> compute_fingerprint(const CheckedModel& model, const WeightFiles& weights);

}  // namespace sida::model
