#include "common/trace/sequence_codec.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "common/tensor/dtype.h"
#include "common/trace/byte_fields.h"

namespace sida::trace {
namespace {

constexpr std::uint64_t kMagic = 0x0a31'4352'5444'4953;  // "SIDTRC1\n"
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kBlockMagic = 0x51'45'53'2eU;  // ".SEQ"
constexpr std::uint8_t kTeacherForced = 1;
constexpr std::size_t kPayloadHeadBytes = 8 + 1 + 1 + 4 + 4;

tl::unexpected<Error> damaged(const std::string& why) {
  return fail(ErrorCode::kInvalidModel, why);
}

// Ids take one byte where they and "none" fit into it.
bool narrow(const TraceHeader& header) {
  return header.num_experts <= 255;
}

std::uint64_t layer_bytes(const TraceHeader& header, std::uint64_t tokens) {
  const std::uint64_t id_bytes = narrow(header) ? 1 : 2;
  const auto top = static_cast<std::uint64_t>(header.top());
  return tokens * (2 * id_bytes + top * (id_bytes + 2));
}

// At most 2 * (2^20 * 4 + 2^10 * 2^20 * 124): far from overflow.
std::uint64_t payload_bytes(const TraceHeader& header, std::uint64_t task, std::uint64_t source, std::uint64_t target) {
  return kPayloadHeadBytes + task + 4 * (source + target) +
         static_cast<std::uint64_t>(header.encoder_layers) * layer_bytes(header, source) +
         static_cast<std::uint64_t>(header.decoder_layers) * layer_bytes(header, target);
}

// -1 becomes the largest number of the width.
void write_ids(FieldWriter& out, const TraceHeader& header, const std::vector<std::int16_t>& ids) {
  for (const std::int16_t id : ids) {
    if (narrow(header)) {
      out.number(static_cast<std::uint8_t>(id));
    } else {
      out.number(static_cast<std::uint16_t>(id));
    }
  }
}

void write_layer(FieldWriter& out, const TraceHeader& header, const TracedLayer& layer, std::size_t tokens) {
  const std::size_t entries = tokens * static_cast<std::size_t>(header.top());
  SIDA_CHECK(layer.gate.size() == tokens && layer.served.size() == tokens);
  SIDA_CHECK(layer.top_experts.size() == entries && layer.top_log_probabilities.size() == entries);
  write_ids(out, header, layer.gate);
  write_ids(out, header, layer.served);
  write_ids(out, header, layer.top_experts);
  for (const float value : layer.top_log_probabilities) {
    // Not a number stays one, and is refused where it is read.
    out.number(to_half(std::isnan(value) ? value : std::clamp(value, kLogProbabilityMin, 0.0F)));
  }
}

template <typename Width>
std::vector<std::int16_t> read_ids_of(FieldReader& in, std::size_t count) {
  std::vector<Width> stored(count);
  in.numbers(std::span(stored));
  std::vector<std::int16_t> ids(count);
  std::transform(stored.begin(), stored.end(), ids.begin(), [](Width id) {
    return id == static_cast<Width>(-1) ? std::int16_t{-1} : static_cast<std::int16_t>(id);
  });
  return ids;
}

std::vector<std::int16_t> read_ids(FieldReader& in, const TraceHeader& header, std::size_t count) {
  return narrow(header) ? read_ids_of<std::uint8_t>(in, count) : read_ids_of<std::uint16_t>(in, count);
}

bool in_range(const std::vector<std::int16_t>& ids, std::int32_t least, std::int32_t end) {
  return std::all_of(ids.begin(), ids.end(), [&](std::int16_t id) { return id >= least && id < end; });
}

// Every token names each expert at most once, and the better ones first.
bool ranked(const TracedLayer& layer, const TraceHeader& header) {
  const auto top = static_cast<std::size_t>(header.top());
  std::vector<std::size_t> last_seen(static_cast<std::size_t>(header.num_experts), 0);
  for (std::size_t index = 0; index < layer.top_experts.size(); ++index) {
    const std::size_t token = index / top + 1;
    auto& seen = last_seen[static_cast<std::size_t>(layer.top_experts[index])];
    if (std::exchange(seen, token) == token) return false;
    const float value = layer.top_log_probabilities[index];
    if (!(value <= 0 && value >= kLogProbabilityMin)) return false;
    if (index % top != 0 && value > layer.top_log_probabilities[index - 1]) return false;
  }
  return true;
}

Result<TracedLayer> read_layer(FieldReader& in, const TraceHeader& header, std::size_t tokens) {
  const std::size_t entries = tokens * static_cast<std::size_t>(header.top());
  TracedLayer layer;
  layer.gate = read_ids(in, header, tokens);
  layer.served = read_ids(in, header, tokens);
  layer.top_experts = read_ids(in, header, entries);
  std::vector<std::uint16_t> halves(entries);
  in.numbers(std::span(halves));
  layer.top_log_probabilities.resize(entries);
  std::transform(halves.begin(), halves.end(), layer.top_log_probabilities.begin(), half_to_float);
  if (!in_range(layer.gate, 0, header.num_experts) || !in_range(layer.served, -1, header.num_experts) ||
      !in_range(layer.top_experts, 0, header.num_experts)) {
    return damaged("an expert id is out of range");
  }
  if (!ranked(layer, header)) return damaged("the gate's probabilities are not in order");
  return layer;
}

Result<std::vector<TracedLayer>> read_stack(FieldReader& in, const TraceHeader& header, std::int32_t layers,
                                            std::size_t tokens) {
  std::vector<TracedLayer> stack;
  for (std::int32_t index = 0; index < layers; ++index) {
    auto layer = read_layer(in, header, tokens);
    if (!layer) return tl::unexpected(std::move(layer).error());
    stack.push_back(std::move(*layer));
  }
  return stack;
}

bool tokens_known(const std::vector<std::int32_t>& tokens, const TraceHeader& header) {
  return std::all_of(tokens.begin(), tokens.end(),
                     [&](std::int32_t token) { return token >= 0 && token < header.vocab_size; });
}

}  // namespace

std::vector<std::int32_t> decoder_input(const TraceHeader& header, const TracedSequence& sequence) {
  std::vector<std::int32_t> input;
  input.reserve(sequence.target.size());
  for (std::size_t row = 0; row < sequence.target.size(); ++row) {
    input.push_back(row == 0 ? header.decoder_start_token : sequence.target[row - 1]);
  }
  return input;
}

std::array<std::byte, kHeaderBytes> encode_header(const TraceHeader& header) {
  FieldWriter out;
  out.number(kMagic);
  out.number(kVersion);
  out.numbers(std::span<const std::uint8_t>(header.model));
  out.numbers(std::span<const std::uint8_t>(header.tokenizer));
  for (const std::int32_t value : {header.num_experts, header.encoder_layers, header.decoder_layers, header.vocab_size,
                                   header.decoder_start_token, header.top()}) {
    out.number(value);
  }
  out.number(checksum(out.bytes()));
  std::array<std::byte, kHeaderBytes> bytes{};
  SIDA_CHECK(out.bytes().size() == bytes.size());
  std::copy(out.bytes().begin(), out.bytes().end(), bytes.begin());
  return bytes;
}

Result<TraceHeader> decode_header(std::span<const std::byte> bytes) {
  FieldReader in(bytes);
  if (in.number<std::uint64_t>() != kMagic || !in.ok()) return damaged("not a trace of sida");
  const auto version = in.number<std::uint32_t>();
  if (in.ok() && version != kVersion) {
    return damaged("version " + std::to_string(version) + " of the trace format; this program reads version " +
                   std::to_string(kVersion));
  }
  TraceHeader header;
  in.numbers(std::span<std::uint8_t>(header.model));
  in.numbers(std::span<std::uint8_t>(header.tokenizer));
  for (std::int32_t* value : {&header.num_experts, &header.encoder_layers, &header.decoder_layers, &header.vocab_size,
                              &header.decoder_start_token}) {
    *value = in.number<std::int32_t>();
  }
  const auto top = in.number<std::int32_t>();
  const auto stored = in.number<std::uint32_t>();
  if (!in.ok()) return damaged("the trace ends inside its header");
  if (stored != checksum(bytes.first(kHeaderBytes - sizeof(stored)))) return damaged("the header is damaged");
  const auto within = [](std::int32_t value, std::int32_t least, std::int32_t most) {
    return value >= least && value <= most;
  };
  if (!within(header.num_experts, 1, kExpertsMax) || !within(header.encoder_layers, 0, kLayersMax) ||
      !within(header.decoder_layers, 0, kLayersMax) || header.vocab_size < 1 ||
      !within(header.decoder_start_token, 0, header.vocab_size - 1) || top != header.top()) {
    return damaged("the header's numbers are out of range");
  }
  return header;
}

Result<BlockHead> decode_block_head(std::span<const std::byte, kBlockHeadBytes> bytes) {
  FieldReader in(bytes);
  const auto magic = in.number<std::uint32_t>();
  BlockHead head;
  head.payload_bytes = in.number<std::uint32_t>();
  head.payload_checksum = in.number<std::uint32_t>();
  const auto stored = in.number<std::uint32_t>();
  if (magic != kBlockMagic || stored != checksum(bytes.first(kBlockHeadBytes - sizeof(stored))) ||
      head.payload_bytes > kPayloadBytesMax) {
    return damaged("the head of a sequence is damaged");
  }
  return head;
}

Result<std::vector<std::byte>> encode_block(const TraceHeader& header, const TracedSequence& sequence) {
  SIDA_CHECK(sequence.encoder.size() == static_cast<std::size_t>(header.encoder_layers));
  SIDA_CHECK(sequence.decoder.size() == static_cast<std::size_t>(header.decoder_layers));
  const std::uint64_t bytes =
      payload_bytes(header, sequence.task.size(), sequence.source.size(), sequence.target.size());
  if (sequence.task.size() > kTaskBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "a task's name has more than " + std::to_string(kTaskBytesMax) + " bytes");
  }
  if (sequence.source.size() > static_cast<std::size_t>(kTokensMax) ||
      sequence.target.size() > static_cast<std::size_t>(kTokensMax) || bytes > kPayloadBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "a sequence is too long for a trace");
  }
  FieldWriter payload;
  payload.number(sequence.ordinal);
  payload.number(sequence.teacher_forced ? kTeacherForced : std::uint8_t{0});
  payload.number(static_cast<std::uint8_t>(sequence.task.size()));
  payload.number(static_cast<std::uint32_t>(sequence.source.size()));
  payload.number(static_cast<std::uint32_t>(sequence.target.size()));
  payload.text(sequence.task);
  payload.numbers(std::span(sequence.source));
  payload.numbers(std::span(sequence.target));
  for (const auto& layer : sequence.encoder) write_layer(payload, header, layer, sequence.source.size());
  for (const auto& layer : sequence.decoder) write_layer(payload, header, layer, sequence.target.size());
  SIDA_CHECK(payload.bytes().size() == bytes);

  FieldWriter block;
  block.number(kBlockMagic);
  block.number(static_cast<std::uint32_t>(bytes));
  block.number(checksum(payload.bytes()));
  block.number(checksum(block.bytes()));
  block.numbers(payload.bytes());
  return std::vector<std::byte>(block.bytes().begin(), block.bytes().end());
}

Result<TracedSequence> decode_payload(const TraceHeader& header, const BlockHead& head,
                                      std::span<const std::byte> payload) {
  if (payload.size() != head.payload_bytes || checksum(payload) != head.payload_checksum) {
    return damaged("the checksum of a sequence does not match");
  }
  FieldReader in(payload);
  TracedSequence sequence;
  sequence.ordinal = in.number<std::uint64_t>();
  const auto flags = in.number<std::uint8_t>();
  const auto task = in.number<std::uint8_t>();
  const auto source = in.number<std::uint32_t>();
  const auto target = in.number<std::uint32_t>();
  // Before anything is allocated: the sizes must add up to what is there.
  if (!in.ok() || flags > kTeacherForced || source > kTokensMax || target > kTokensMax ||
      payload_bytes(header, task, source, target) != payload.size()) {
    return damaged("the sizes of a sequence do not add up");
  }
  sequence.teacher_forced = flags == kTeacherForced;
  sequence.task.resize(task);
  sequence.source.resize(source);
  sequence.target.resize(target);
  in.numbers(std::span(sequence.task));
  in.numbers(std::span(sequence.source));
  in.numbers(std::span(sequence.target));
  if (!tokens_known(sequence.source, header) || !tokens_known(sequence.target, header)) {
    return damaged("a token id is outside the vocabulary");
  }
  auto encoder = read_stack(in, header, header.encoder_layers, source);
  if (!encoder) return tl::unexpected(std::move(encoder).error());
  auto decoder = read_stack(in, header, header.decoder_layers, target);
  if (!decoder) return tl::unexpected(std::move(decoder).error());
  sequence.encoder = std::move(*encoder);
  sequence.decoder = std::move(*decoder);
  return sequence;
}

}  // namespace sida::trace
