#include "router/trunk/forward.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "router/trunk/batch.h"
#include "router/trunk/classify.h"
#include "router/trunk/tensor_rows.h"

namespace sida::router {
namespace {

using model::Stack;

// A batch of more rows lets others compute between its sub-layers: a sub-layer of so many takes some ten milliseconds
// (Switch-base on two cores), about what the others wait for anyway.
constexpr std::int64_t kRowsAtOnce = 64;

void project(const Batch& batch, const PackedMatrix& weight, Rows out) {
  batch.context().backend.linear(batch.normed(), weight, out);
}

compute::Attention attention_of(const Batch& batch, const BatchSequence& sequence, ConstRows keys, ConstRows values) {
  return {.query = slice(batch.query(), sequence.first_row, sequence.rows),
          .key = keys,
          .value = values,
          .position_bias = nullptr,
          .direction = compute::Direction::kBidirectional,
          .first_position = sequence.first_position,
          .heads = batch.context().weights.config().num_heads,
          .out = slice(batch.mixed(), sequence.first_row, sequence.rows)};
}

void encoder_self_attention(Batch& batch, const StackWeights& stack, const AttentionWeights& weights) {
  batch.norm(weights.norm);
  project(batch, weights.query, batch.query());
  project(batch, weights.key, batch.key());
  project(batch, weights.value, batch.value());
  std::vector<compute::Attention> calls;
  for (const auto& sequence : batch.sequences()) {
    auto call = attention_of(batch, sequence, slice(batch.key(), sequence.first_row, sequence.rows),
                             slice(batch.value(), sequence.first_row, sequence.rows));
    call.position_bias = stack.position_bias.data();
    calls.push_back(call);
  }
  batch.context().backend.attention(calls);
  batch.add_projection(weights.output);
}

void decoder_self_attention(Batch& batch, const StackWeights& stack, const AttentionWeights& weights,
                            std::size_t block) {
  batch.norm(weights.norm);
  project(batch, weights.query, batch.query());
  project(batch, weights.key, batch.key());
  project(batch, weights.value, batch.value());
  std::vector<compute::Attention> calls;
  for (const auto& sequence : batch.sequences()) {
    KeyValueCache& cache = sequence.state->self_caches[block];
    cache.append(slice(batch.key(), sequence.first_row, sequence.rows),
                 slice(batch.value(), sequence.first_row, sequence.rows));
    auto call = attention_of(batch, sequence, cache.keys(), cache.values());
    call.position_bias = stack.position_bias.data();
    call.direction = compute::Direction::kCausal;
    calls.push_back(call);
  }
  batch.context().backend.attention(calls);
  batch.add_projection(weights.output);
}

void cross_attention(Batch& batch, const AttentionWeights& weights, std::size_t block) {
  batch.norm(weights.norm);
  project(batch, weights.query, batch.query());
  std::vector<compute::Attention> calls;
  for (const auto& sequence : batch.sequences()) {
    const KeyValueCache& cache = sequence.state->cross_caches[block];
    calls.push_back(attention_of(batch, sequence, cache.keys(), cache.values()));
  }
  batch.context().backend.attention(calls);
  batch.add_projection(weights.output);
}

// normed() is the encoder's output here, as in what follows.
void classify_sequences(const Batch& batch) {
  const ForwardContext& context = batch.context();
  for (const auto& sequence : batch.sequences()) {
    if (!sequence.state->head) continue;
    sequence.state->logits = classify(context.backend, context.weights.heads()[*sequence.state->head],
                                      slice(batch.normed(), sequence.first_row, sequence.rows));
  }
}

void fill_cross_caches(Batch& batch) {
  std::vector<BatchSequence> decoded = batch.sequences();
  std::erase_if(decoded, [](const BatchSequence& sequence) { return sequence.state->head.has_value(); });
  if (decoded.empty()) return;
  const auto& blocks = batch.context().weights.decoder().blocks;
  for (const auto& sequence : decoded) sequence.state->cross_caches.assign(blocks.size(), {});
  for (std::size_t block = 0; block < blocks.size(); ++block) {
    project(batch, blocks[block].cross_attention->key, batch.key());
    project(batch, blocks[block].cross_attention->value, batch.value());
    for (const auto& sequence : decoded) {
      sequence.state->cross_caches[block].append(slice(batch.key(), sequence.first_row, sequence.rows),
                                                 slice(batch.value(), sequence.first_row, sequence.rows));
    }
  }
}

void observe_hidden(const Batch& batch, Stack stack, std::int64_t block) {
  if (batch.context().observer != nullptr) batch.context().observer->hidden(stack, block, batch.hidden());
}

void observe_output(const Batch& batch, Stack stack) {
  if (batch.context().observer != nullptr) batch.context().observer->output(stack, batch.normed());
}

Batch make_encoder_batch(const ForwardContext& context, std::span<SequenceState* const> states) {
  std::vector<BatchSequence> sequences;
  std::vector<std::int32_t> tokens;
  for (SequenceState* state : states) {
    sequences.push_back(
        {state, static_cast<std::int64_t>(tokens.size()), static_cast<std::int64_t>(state->source.size()), 0});
    tokens.insert(tokens.end(), state->source.begin(), state->source.end());
  }
  return {context, context.weights.encoder(), std::move(sequences), tokens};
}

Batch make_decoder_batch(const ForwardContext& context, std::span<SequenceState* const> states) {
  std::vector<BatchSequence> sequences;
  std::vector<std::int32_t> tokens;
  for (SequenceState* state : states) {
    if (state->self_caches.empty()) state->self_caches.resize(context.weights.decoder().blocks.size());
    const std::int64_t cached = state->cached();
    const auto& all = state->decoder_tokens;
    sequences.push_back(
        {state, static_cast<std::int64_t>(tokens.size()), static_cast<std::int64_t>(all.size()) - cached, cached});
    tokens.insert(tokens.end(), all.begin() + cached, all.end());
  }
  return {context, context.weights.decoder(), std::move(sequences), tokens};
}

// A tied head reads norm(h) / sqrt(d_model). The factor goes into the norm's weight only when that is exact, so it is
// applied to the fp32 norm and rounded once.
at::Tensor head_input(Batch& batch) {
  const auto& weights = batch.context().weights;
  const auto& config = weights.config();
  at::Tensor exact = empty_rows(batch.rows(), config.d_model, DType::kFloat32);
  batch.context().backend.rms_norm(batch.hidden(), weights.decoder().final_norm.data(), config.layer_norm_epsilon,
                                   rows_of(exact));
  float* values = rows_of(exact).f32();
  if (config.tie_word_embeddings) {
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.d_model)));
    for (std::int64_t index = 0; index < exact.numel(); ++index) values[index] *= scale;
  }
  if (weights.dtype() == DType::kFloat32) return exact;
  at::Tensor rounded = empty_rows(batch.rows(), config.d_model, DType::kBFloat16);
  for (std::int64_t index = 0; index < exact.numel(); ++index) {
    rows_of(rounded).bf16()[index] = to_bfloat16(values[index]);
  }
  return rounded;
}

}  // namespace

Task<Result<EncodeOutput>> encode(const ForwardContext& context, std::span<SequenceState* const> states) {
  const StackWeights& stack = context.weights.encoder();
  Batch batch = make_encoder_batch(context, states);
  observe_hidden(batch, Stack::kEncoder, -1);
  EncodeOutput output;
  for (std::size_t block = 0; block < stack.blocks.size(); ++block) {
    encoder_self_attention(batch, stack, stack.blocks[block].self_attention);
    if (batch.rows() > kRowsAtOnce) co_await pause(context.experts);
    auto done = co_await feed_forward(batch, stack.blocks[block].feed_forward, output.routing);
    if (!done) co_return tl::unexpected(std::move(done).error());
    observe_hidden(batch, Stack::kEncoder, static_cast<std::int64_t>(block));
    if (batch.rows() > kRowsAtOnce) co_await pause(context.experts);
  }
  batch.norm(stack.final_norm);
  observe_output(batch, Stack::kEncoder);
  classify_sequences(batch);
  fill_cross_caches(batch);
  co_return std::move(output);
}

Task<Result<DecodeOutput>> decode(const ForwardContext& context, std::span<SequenceState* const> states) {
  const StackWeights& stack = context.weights.decoder();
  Batch batch = make_decoder_batch(context, states);
  observe_hidden(batch, Stack::kDecoder, -1);
  DecodeOutput output;
  for (std::size_t block = 0; block < stack.blocks.size(); ++block) {
    const BlockWeights& weights = stack.blocks[block];
    decoder_self_attention(batch, stack, weights.self_attention, block);
    cross_attention(batch, *weights.cross_attention, block);
    auto done = co_await feed_forward(batch, weights.feed_forward, output.routing);
    if (!done) co_return tl::unexpected(std::move(done).error());
    observe_hidden(batch, Stack::kDecoder, static_cast<std::int64_t>(block));
    if (batch.rows() > kRowsAtOnce) co_await pause(context.experts);
  }
  batch.norm(stack.final_norm);
  observe_output(batch, Stack::kDecoder);
  output.hidden = head_input(batch);
  co_return std::move(output);
}

at::Tensor logits(const ForwardContext& context, const at::Tensor& hidden, std::int64_t first, std::int64_t count) {
  at::Tensor scores = empty_rows(count, context.weights.lm_head().outputs, DType::kFloat32);
  context.backend.linear(slice(rows_of(hidden), first, count), context.weights.lm_head(), rows_of(scores));
  return scores;
}

}  // namespace sida::router
