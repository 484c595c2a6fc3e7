// Any trace file: an error that names the file, a tail that was cut off, or sequences whose every id is in range.
#include <algorithm>
#include <cstdint>
#include <span>

#include "common/trace/byte_fields.h"
#include "common/trace/sequence_codec.h"
#include "common/trace/trace_reader.h"
#include "tests/support/memory_file.h"

namespace {

void check_layer(const sida::trace::TraceHeader& header, const sida::trace::TracedLayer& layer, std::size_t tokens) {
  SIDA_CHECK(layer.gate.size() == tokens && layer.served.size() == tokens);
  SIDA_CHECK(layer.top_experts.size() == tokens * static_cast<std::size_t>(header.top()));
  SIDA_CHECK(layer.top_log_probabilities.size() == layer.top_experts.size());
  for (const auto expert : layer.gate) SIDA_CHECK(expert >= 0 && expert < header.num_experts);
  for (const auto expert : layer.served) SIDA_CHECK(expert >= -1 && expert < header.num_experts);
  for (const auto expert : layer.top_experts) SIDA_CHECK(expert >= 0 && expert < header.num_experts);
  for (const auto value : layer.top_log_probabilities) SIDA_CHECK(value <= 0);
}

void check(const sida::trace::TraceHeader& header, const sida::trace::TracedSequence& sequence) {
  SIDA_CHECK(sequence.encoder.size() == static_cast<std::size_t>(header.encoder_layers));
  SIDA_CHECK(sequence.decoder.size() == static_cast<std::size_t>(header.decoder_layers));
  for (const auto token : decoder_input(header, sequence)) SIDA_CHECK(token >= 0 && token < header.vocab_size);
  for (const auto& layer : sequence.encoder) check_layer(header, layer, sequence.source.size());
  for (const auto& layer : sequence.decoder) check_layer(header, layer, sequence.target.size());
}

// The same bytes as a payload whose checksum is right: mutations seldom find those.
void decode_as_payload(std::span<const std::byte> bytes) {
  using namespace sida::trace;
  for (const std::int32_t experts : {3, 300}) {
    TraceHeader header;
    header.num_experts = experts;
    header.encoder_layers = 1;
    header.decoder_layers = 1;
    header.vocab_size = 40;
    const BlockHead head{static_cast<std::uint32_t>(bytes.size()), checksum(bytes)};
    const auto sequence = decode_payload(header, head, bytes);
    if (!sequence) {
      SIDA_CHECK(sequence.error().code == sida::ErrorCode::kInvalidModel);
      continue;
    }
    check(header, *sequence);
    const auto again = encode_block(header, *sequence);
    SIDA_CHECK(again && std::ranges::equal(std::span(*again).subspan(kBlockHeadBytes), bytes));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sida;
  decode_as_payload(std::as_bytes(std::span(data, size)));
  const test::MemoryFile file({reinterpret_cast<const char*>(data), size});
  auto reader = trace::TraceReader::open(file.path());
  if (!reader) {
    SIDA_CHECK(reader.error().code == ErrorCode::kInvalidModel);
    SIDA_CHECK(reader.error().message.starts_with(file.path().string()));
    return 0;
  }
  while (true) {
    const auto before = reader->position();
    const auto sequence = reader->next();
    if (!sequence) {
      SIDA_CHECK(sequence.error().code == ErrorCode::kInvalidModel);
      SIDA_CHECK(sequence.error().message.starts_with(file.path().string()));
      SIDA_CHECK(reader->position() == before);
      return 0;
    }
    if (!*sequence) break;
    SIDA_CHECK(reader->position() > before);
    check(reader->header(), **sequence);
  }
  SIDA_CHECK(reader->position() + reader->truncated_tail() == size);
  return 0;
}
