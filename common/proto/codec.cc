#include "common/proto/codec.h"

#include <new>
#include <utility>

#include "common/proto/fields.h"

namespace sida::proto {
namespace {

constexpr std::array kMessageNames = {"Hello",     "Welcome",          "Refuse",          "Roster",          "Prefetch",
                                      "Dispatch",  "Cancel",           "DispatchResult",  "DispatchFailure", "Estimate",
                                      "Residency", "Draining",         "Heartbeat",       "Predict",         "Advance",
                                      "Forget",    "HashTableEntries", "PredictorReport", "Resume"};
static_assert(kMessageNames.size() == std::variant_size_v<Message>);

// An envelope is [version, type, header, body].
constexpr std::uint32_t kEnvelopeFields = 4;

// Array elements of one message, at any depth; the largest roster has a million. At 24 bytes each, the parsed tree
// stays below 32 MiB.
constexpr std::uint32_t kMaxElements = kMaxEnvelopeBytes / 3;
// Envelope, body, list, member, capacity or layers.
constexpr std::size_t kMaxDepth = 6;

// Walks the bytes without allocating for what they contain, and stops when they claim more than a message may hold.
struct BudgetVisitor : msgpack::null_visitor {
  std::uint32_t elements_left = kMaxElements;
  bool start_array(std::uint32_t elements) {
    if (elements > elements_left) return false;
    elements_left -= elements;
    return true;
  }
  bool start_map(std::uint32_t) { return false; }
  bool visit_ext(const char*, std::uint32_t) { return false; }
};

tl::unexpected<Error> malformed(const std::string& why) {
  return fail(ErrorCode::kMalformedMessage, why);
}

Result<void> check_budget(std::span<const std::byte> bytes) {
  BudgetVisitor budget;
  std::size_t end = 0;
  const auto* data = reinterpret_cast<const char*>(bytes.data());
  if (!msgpack::parse(data, bytes.size(), end, budget)) {
    return malformed("envelope: not msgpack, cut short, or with too many elements");
  }
  if (end != bytes.size()) return malformed("envelope: bytes after its end");
  return {};
}

template <std::size_t index = 0>
void make_message(std::uint64_t type, Message& message) {
  if constexpr (index < std::variant_size_v<Message>) {
    if (type == index) {
      message.emplace<index>();
    } else {
      make_message<index + 1>(type, message);
    }
  }
}

// The version comes first, so that any other one is recognised whatever follows it.
Result<void> check_version(const msgpack::object& root) {
  if (root.type != msgpack::type::ARRAY || root.via.array.size == 0) return malformed("envelope: not an array");
  const msgpack::object& version = root.via.array.ptr[0];
  if (version.type != msgpack::type::POSITIVE_INTEGER) return malformed("envelope.version: not a number");
  if (version.via.u64 == kProtocolVersion) return {};
  return fail(ErrorCode::kMismatch, "the peer speaks protocol version " + std::to_string(version.via.u64) +
                                        ", this process version " + std::to_string(kProtocolVersion) +
                                        ": run the same version of sida on both sides");
}

Result<Envelope> read_envelope(const msgpack::object& root) {
  SIDA_TRY(check_version(root));
  Envelope envelope;
  Reader reader("envelope", root);
  std::uint64_t version = 0;
  std::uint64_t type = 0;
  reader.number("version", version);
  reader.number("type", type, 0, kMessageNames.size() - 1);
  reader.object("header", envelope.header);
  if (reader.failed()) return tl::unexpected(*reader.error());
  make_message(type, envelope.message);
  std::visit([&](auto& message) { reader.object(kMessageNames[type], message); }, envelope.message);
  reader.finish();
  if (reader.failed()) return tl::unexpected(*reader.error());
  const char* problem = std::visit([](const auto& message) { return contradiction(message); }, envelope.message);
  if (problem != nullptr) return malformed(std::string(kMessageNames[type]) + "." + problem);
  return envelope;
}

}  // namespace

std::vector<std::byte> encode(const Envelope& envelope) {
  Writer writer;
  writer.begin_array(kEnvelopeFields);
  writer.number("version", kProtocolVersion);
  writer.number("type", envelope.message.index());
  writer.object("header", envelope.header);
  std::visit(
      [&](const auto& message) {
        SIDA_CHECK(contradiction(message) == nullptr);
        writer.object("body", message);
      },
      envelope.message);
  std::vector<std::byte> bytes = writer.take();
  SIDA_CHECK(bytes.size() <= kMaxEnvelopeBytes);
  return bytes;
}

Result<Envelope> decode(std::span<const std::byte> bytes) {
  if (bytes.empty()) return malformed("envelope: empty");
  if (bytes.size() > kMaxEnvelopeBytes) return malformed("envelope: larger than 4 MiB");
  SIDA_TRY(check_budget(bytes));
  constexpr std::size_t list_max = std::max({kMaxMembers, kMaxGroups, kMaxPrefetchItems, kMaxResident, kMaxLayers});
  constexpr std::size_t packed_bytes_max = kMaxEntries * sizeof(float);
  const msgpack::unpack_limit limit(list_max, 0, kMaxStringBytes, packed_bytes_max, 0, kMaxDepth);
  // Strings and packed vectors stay where they are until the reader copies them out.
  const auto reference = [](msgpack::type::object_type, std::size_t, void*) { return true; };
  try {
    const auto* data = reinterpret_cast<const char*>(bytes.data());
    const msgpack::object_handle handle = msgpack::unpack(data, bytes.size(), reference, nullptr, limit);
    return read_envelope(handle.get());
  } catch (const msgpack::unpack_error& error) {
    return malformed(std::string("envelope: ") + error.what());
  } catch (const std::bad_alloc&) {
    return malformed("envelope: not enough memory to decode it");
  }
}

Result<void> check_rows(const TensorShape& shape, std::size_t bytes) {
  if (const char* problem = contradiction(shape)) return malformed(problem);
  if (shape.bytes() == bytes) return {};
  return malformed("rows: " + std::to_string(bytes) + " bytes, but the shape says " + std::to_string(shape.bytes()));
}

}  // namespace sida::proto
