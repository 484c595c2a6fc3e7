#include "common/proto/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <limits>
#include <new>

#include "tests/unit/common/proto/arbitrary_message.h"

namespace sida::proto {
namespace {

using testing::HasSubstr;

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// An envelope of `type` whose body `write` packs; all that a peer could send, well-formed or not.
std::vector<std::byte> hand_made(std::size_t type, const std::function<void(msgpack::packer<Writer::Sink>&)>& write) {
  Writer::Sink sink;
  msgpack::packer packer(sink);
  packer.pack_array(4).pack(kProtocolVersion).pack(type);
  packer.pack_array(2).pack_array(3);
  packer.pack_bin(16).pack_bin_body("0123456789abcdef", 16).pack_bin(8).pack_bin_body("01234567", 8).pack(0);
  packer.pack(0);
  write(packer);
  return sink.bytes;
}

template <typename Body>
constexpr std::size_t type_of() {
  return Message(Body{}).index();
}

void expect_malformed(const Result<Envelope>& decoded, const std::string& text) {
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, ErrorCode::kMalformedMessage);
  EXPECT_THAT(decoded.error().message, HasSubstr(text));
}

// What arrives when our own code is made to send `message` with one number changed behind its back.
template <typename Body>
Result<Envelope> decode_body(const std::function<void(msgpack::packer<Writer::Sink>&)>& write) {
  return decode(hand_made(type_of<Body>(), write));
}

template <typename Body>
class CodecOf : public testing::Test {};

template <typename Variant>
struct AsTypes;
template <typename... Bodies>
struct AsTypes<std::variant<Bodies...>> {
  using Types = testing::Types<Bodies...>;
};
TYPED_TEST_SUITE(CodecOf, AsTypes<Message>::Types);

TYPED_TEST(CodecOf, GivesBackWhatWasEncoded) {
  EXPECT_TRUE(rc::check([] {
    const Envelope sent = arbitrary_envelope<TypeParam>();
    const auto received = decode(encode(sent));
    RC_ASSERT(received.has_value());
    RC_ASSERT(*received == sent);
  }));
}

// Whatever is done to the bytes, the answer is an error or an envelope that can be encoded again.
TYPED_TEST(CodecOf, SurvivesChangedBytes) {
  EXPECT_TRUE(rc::check([] {
    auto bytes = encode(arbitrary_envelope<TypeParam>());
    const int changes = *rc::gen::inRange(1, 4);
    for (int i = 0; i < changes; ++i) {
      bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] =
          static_cast<std::byte>(*rc::gen::arbitrary<std::uint8_t>());
    }
    const auto decoded = decode(bytes);
    if (!decoded) return;
    const auto again = decode(encode(*decoded));
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == *decoded);
  }));
}

TYPED_TEST(CodecOf, RefusesEveryShorterMessage) {
  EXPECT_TRUE(rc::check([] {
    auto bytes = encode(arbitrary_envelope<TypeParam>());
    bytes.resize(*rc::gen::inRange<std::size_t>(0, bytes.size()));
    RC_ASSERT(decode(bytes).error().code == ErrorCode::kMalformedMessage);
  }));
}

TEST(Codec, SaysWhatToDoAboutAnotherVersion) {
  auto bytes = encode({{}, Draining{}});
  bytes[1] = std::byte{kProtocolVersion + 1};
  const auto decoded = decode(bytes);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, ErrorCode::kMismatch);
  EXPECT_THAT(decoded.error().message, HasSubstr("run the same version of sida on both sides"));
}

TEST(Codec, RecognisesAnotherVersionWhateverFollowsIt) {
  EXPECT_EQ(decode(bytes_of({0x92, 7, 0xc0})).error().code, ErrorCode::kMismatch);
}

TEST(Codec, RefusesTypesItDoesNotKnow) {
  expect_malformed(decode(hand_made(std::variant_size_v<Message>, [](auto& packer) { packer.pack_array(0); })),
                   "envelope.type: out of range");
}

TEST(Codec, RefusesMoreBytesThanAnEnvelopeMayHave) {
  expect_malformed(decode(std::vector<std::byte>(kMaxEnvelopeBytes + 1)), "larger than 4 MiB");
}

TEST(Codec, RefusesAnEmptyMessage) {
  expect_malformed(decode({}), "empty");
}

TEST(Codec, RefusesBytesAfterTheEnd) {
  auto bytes = encode({{}, Draining{}});
  bytes.push_back(std::byte{0});
  expect_malformed(decode(bytes), "bytes after its end");
}

// Five bytes that claim four billion elements, in each way that msgpack can claim them.
TEST(Codec, AllocatesNothingForClaims) {
  for (int claim : {0xdd, 0xdf, 0xdb, 0xc6, 0xc9}) {
    expect_malformed(decode(bytes_of({claim, 0xff, 0xff, 0xff, 0xff})), "envelope");
    expect_malformed(decode(bytes_of({0x94, 1, claim, 0xff, 0xff, 0xff, 0xff})), "envelope");
  }
}

TEST(Codec, RefusesMoreElementsThanTheBudget) {
  // Sixty-four lists of 65,536 one-byte numbers: every list within its limit, the bytes within theirs.
  expect_malformed(decode_body<Draining>([](auto& packer) {
                     packer.pack_array(63);
                     for (int list = 0; list < 63; ++list) {
                       packer.pack_array(65536);
                       for (int i = 0; i < 65536; ++i) packer.pack(1);
                     }
                   }),
                   "too many elements");
}

TEST(Codec, RefusesDeepNesting) {
  std::vector<std::byte> bytes(100000, std::byte{0x91});
  bytes.push_back(std::byte{0});
  expect_malformed(decode(bytes), "depth");
}

TEST(Codec, RefusesMapsAndExtensions) {
  expect_malformed(decode_body<Draining>([](auto& packer) { packer.pack_map(0); }), "envelope");
  expect_malformed(decode_body<Draining>([](auto& packer) { packer.pack_ext(1, 1).pack_ext_body("x", 1); }),
                   "envelope");
}

TEST(Codec, RefusesMissingAndSurplusFields) {
  expect_malformed(decode_body<Heartbeat>([](auto& packer) { packer.pack_array(1).pack(1); }),
                   "Heartbeat.busy: missing");
  expect_malformed(decode_body<Heartbeat>([](auto& packer) { packer.pack_array(3).pack(1).pack(true).pack(1); }),
                   "Heartbeat: too many fields");
}

TEST(Codec, RefusesNegativeNumbers) {
  expect_malformed(decode_body<Forget>([](auto& packer) { packer.pack_array(1).pack(-1); }),
                   "Forget.sequence: negative");
}

TEST(Codec, RefusesTheWrongType) {
  expect_malformed(decode_body<Forget>([](auto& packer) { packer.pack_array(1).pack("one"); }),
                   "Forget.sequence: wrong type");
}

TEST(Codec, RefusesTextsBeyondTheLimit) {
  const auto refuse_with = [](std::size_t bytes) {
    return decode_body<Refuse>([=](auto& packer) { packer.pack_array(2).pack(4).pack(std::string(bytes, 'x')); });
  };
  EXPECT_TRUE(refuse_with(kMaxStringBytes).has_value());
  expect_malformed(refuse_with(kMaxStringBytes + 1), "envelope");
}

TEST(Codec, RefusesNamesBeyondTheLimit) {
  const auto hello_from = [](std::size_t bytes) {
    return decode_body<Hello>(
        [=](auto& packer) { packer.pack_array(3).pack(1).pack(std::string(bytes, 'x')).pack(1); });
  };
  expect_malformed(hello_from(kMaxNameBytes + 1), "Hello.software_version: too long");
}

TEST(Codec, RefusesUnprintableTexts) {
  expect_malformed(decode_body<Refuse>([](auto& packer) { packer.pack_array(2).pack(4).pack("two\nlines"); }),
                   "Refuse.message: not printable");
}

TEST(Codec, RefusesUnknownErrorCodes) {
  for (int code : {0, 12}) {
    expect_malformed(decode_body<Refuse>([=](auto& packer) { packer.pack_array(2).pack(code).pack(""); }),
                     "Refuse.code: out of range");
  }
}

TEST(Codec, RefusesAKBeyondTheLimit) {
  for (std::size_t k : {std::size_t{0}, kMaxExpertsPerToken + 1}) {
    expect_malformed(decode_body<Advance>([=](auto& packer) { packer.pack_array(4).pack(1).pack(0).pack(0).pack(k); }),
                     "Advance.k: out of range");
  }
}

// Lists, each one element beyond its limit.
TEST(Codec, RefusesListsBeyondTheirLimits) {
  const auto list = [](auto& packer, std::size_t size) {
    packer.pack_array(static_cast<std::uint32_t>(size));
    for (std::size_t i = 0; i < size; ++i) packer.pack(1);
  };
  expect_malformed(decode_body<Roster>([&](auto& packer) {
                     packer.pack_array(2).pack(1);
                     list(packer, kMaxMembers + 1);
                   }),
                   "Roster.members: too many elements");
  expect_malformed(decode_body<Prefetch>([&](auto& packer) {
                     packer.pack_array(3).pack(1).pack(0);
                     list(packer, kMaxPrefetchItems + 1);
                   }),
                   "array size overflow");
  expect_malformed(decode_body<Residency>([&](auto& packer) {
                     packer.pack_array(5);
                     list(packer, kMaxResident + 1);
                     for (int i = 0; i < 4; ++i) packer.pack(1);
                   }),
                   "array size overflow");
  expect_malformed(decode_body<Dispatch>([&](auto& packer) {
                     packer.pack_array(3).pack_array(5).pack(1).pack(1).pack(1).pack(1).pack(1);
                     list(packer, kMaxGroups + 1);
                     packer.pack_array(3).pack(1).pack(0).pack(0);
                   }),
                   "array size overflow");
}

TEST(Codec, RefusesLayerListsBeyondTheirLimit) {
  const auto roster = [](std::size_t layers) {
    return decode_body<Roster>([=](auto& packer) {
      packer.pack_array(2).pack(1).pack_array(1).pack_array(6).pack(1).pack("w");
      packer.pack_array(5).pack(1).pack(1).pack(1).pack(1).pack(1);
      packer.pack(1).pack(std::vector<int>(layers)).pack(false);
    });
  };
  EXPECT_TRUE(roster(kMaxLayers).has_value());
  expect_malformed(roster(kMaxLayers + 1), "Roster.members.item.covered_layers: too many elements");
}

TEST(Codec, RefusesChannelListsBeyondTheirLimit) {
  const auto hello = [](std::size_t channels) {
    return decode_body<Hello>([=](auto& packer) {
      packer.pack_array(5).pack(1).pack("1.0").pack_bin(32).pack_bin_body(std::string(32, 'f').data(), 32).pack(1);
      packer.pack(std::vector<int>(channels, 1));
    });
  };
  EXPECT_TRUE(hello(kMaxChannels).has_value());
  expect_malformed(hello(kMaxChannels + 1), "Hello.channels: too many elements");
}

TEST(Codec, RefusesMoreTokensThanTheLimit) {
  const auto predict = [](std::size_t tokens) {
    return decode_body<Predict>([=](auto& packer) {
      const std::vector<char> zeros(tokens * 4);
      const auto size = static_cast<std::uint32_t>(zeros.size());
      packer.pack_array(3).pack(1).pack_bin(size).pack_bin_body(zeros.data(), size).pack(1);
    });
  };
  EXPECT_TRUE(predict(kMaxTokens).has_value());
  expect_malformed(predict(kMaxTokens + 1), "Predict.tokens: too many elements");
}

TEST(Codec, RefusesPackedVectorsOfHalfAnElement) {
  expect_malformed(decode_body<Predict>(
                       [](auto& packer) { packer.pack_array(3).pack(1).pack_bin(3).pack_bin_body("abc", 3).pack(1); }),
                   "Predict.tokens: wrong length");
}

HashTableEntries entries(std::uint32_t layers, std::uint32_t tokens, std::uint8_t k) {
  HashTableEntries message;
  message.layers = layers;
  message.tokens = tokens;
  message.k = k;
  message.experts.resize(std::size_t{layers} * tokens * k);
  message.confidences.resize(message.experts.size());
  return message;
}

TEST(Codec, CarriesAsManyEntriesAsTheLimitSays) {
  const Envelope sent{{}, entries(16, kMaxEntries / 16 / 8, 8)};
  EXPECT_EQ(decode(encode(sent)), sent);
}

TEST(Codec, CarriesTheLargestRoster) {
  Member member;
  member.name = std::string(kMaxNameBytes, 'x');
  member.worker = WorkerId{UINT64_MAX};
  member.numerics_id = UINT64_MAX;
  member.covered_layers.assign(kMaxLayers, LayerId{kMaxLayers - 1});
  const Envelope sent{{}, Roster{UINT64_MAX, std::vector<Member>(kMaxMembers, member)}};
  EXPECT_EQ(decode(encode(sent)), sent);
}

// Changes the bytes of `part` where they occur in `bytes`.
void replace(std::vector<std::byte>& bytes, const std::vector<std::byte>& part, const std::vector<std::byte>& by) {
  const auto found = std::search(bytes.begin(), bytes.end(), part.begin(), part.end());
  ASSERT_NE(found, bytes.end());
  std::copy(by.begin(), by.end(), found);
}

TEST(Codec, RefusesEntriesThatDoNotFitTheirCounts) {
  HashTableEntries message = entries(2, 3, 1);
  message.sequence = SequenceId{99};
  message.first_token = 0x5a5a;
  auto bytes = encode({{}, message});
  // first_token, then tokens and k.
  replace(bytes, bytes_of({0xcd, 0x5a, 0x5a, 3, 1}), bytes_of({0xcd, 0x5a, 0x5a, 4, 1}));
  expect_malformed(decode(bytes), "HashTableEntries.experts: not layers x tokens x k");
}

TEST(Codec, RefusesConfidencesOutsideZeroToOne) {
  for (const auto& wrong : {bytes_of({0, 0, 0, 0x40}), bytes_of({0, 0, 0xc0, 0x7f}), bytes_of({0, 0, 0x80, 0xbf})}) {
    HashTableEntries message = entries(1, 1, 1);
    message.confidences[0] = 0.7231F;
    auto bytes = encode({{}, message});
    std::vector<std::byte> right(sizeof(float));
    std::memcpy(right.data(), message.confidences.data(), sizeof(float));
    replace(bytes, right, wrong);
    expect_malformed(decode(bytes), "HashTableEntries.confidences: out of range");
  }
}

TEST(Codec, RefusesExpertsBelowMinusOne) {
  HashTableEntries message = entries(1, 1, 1);
  message.experts[0] = 0x5a5a;
  auto bytes = encode({{}, message});
  replace(bytes, bytes_of({0x5a, 0x5a}), bytes_of({0xfe, 0xff}));
  expect_malformed(decode(bytes), "HashTableEntries.experts: out of range");
}

TEST(Codec, RefusesGroupsThatDoNotAddUpToTheRows) {
  Dispatch dispatch;
  dispatch.groups = {{ExpertId{3}, 0x5a}};
  dispatch.shape = {DType::kFloat32, 0x5a, 8};
  auto bytes = encode({{}, dispatch});
  replace(bytes, bytes_of({0x92, 3, 0x5a}), bytes_of({0x92, 3, 0x5b}));
  expect_malformed(decode(bytes), "Dispatch.groups: their rows are not those of the shape");
}

TEST(Codec, RefusesShapesLargerThanAMessageOfRows) {
  const auto result_with = [](std::uint64_t rows, std::uint64_t columns, int dtype) {
    return decode_body<DispatchResult>([=](auto& packer) {
      packer.pack_array(5).pack_array(5).pack(1).pack(1).pack(1).pack(1).pack(1);
      packer.pack_array(3).pack(dtype).pack(rows).pack(columns);
      packer.pack(0).pack(0).pack(0);
    });
  };
  EXPECT_TRUE(result_with(1U << 16U, 1U << 10U, 1).has_value());
  expect_malformed(result_with((1U << 16U) + 1, 1U << 10U, 1), "shape: more bytes");
  expect_malformed(result_with(UINT32_MAX, UINT32_MAX, 4), "shape: more bytes");  // Its product overflows 64 bits.
  expect_malformed(result_with(UINT32_MAX + 1ULL, 1, 1), "shape.rows: out of range");
  expect_malformed(result_with(1, 1, 0), "shape.dtype: out of range");
  expect_malformed(result_with(1, 1, 8), "shape.dtype: out of range");
}

TEST(Codec, RefusesLayersAndExpertsBeyondTheirLimits) {
  const auto prefetch = [](std::size_t layer, std::size_t expert) {
    return decode_body<Prefetch>([=](auto& packer) {
      packer.pack_array(3).pack(1).pack(0).pack_array(1).pack_array(2).pack_array(2).pack(layer).pack(expert).pack(1);
    });
  };
  EXPECT_TRUE(prefetch(kMaxLayers - 1, kMaxExperts - 1).has_value());
  expect_malformed(prefetch(kMaxLayers, 0), "Prefetch.items.item.key.layer: out of range");
  expect_malformed(prefetch(0, kMaxExperts), "Prefetch.items.item.key.expert: out of range");
}

TEST(Codec, RefusesRatesThatAreNotFinite) {
  for (double rate : {-1.0, 1e300, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const auto decoded = decode_body<Roster>([=](auto& packer) {
      packer.pack_array(2).pack(1).pack_array(1).pack_array(6).pack(1).pack("w");
      packer.pack_array(5).pack(1).pack(1).pack(1).pack(rate).pack(1);
      packer.pack(1).pack_array(0).pack(false);
    });
    expect_malformed(decoded, "capacity.experts_per_second: out of range");
  }
}

TEST(Codec, RefusesDurationsBeyondAWeek) {
  const auto header = [](std::int64_t microseconds) {
    auto bytes = encode({{{}, std::chrono::microseconds(0x5a5a5a)}, Draining{}});
    std::vector<std::byte> changed(bytes.begin(), bytes.end());
    Writer::Sink sink;
    msgpack::packer(sink).pack(microseconds);
    const auto old_value = bytes_of({0xce, 0x00, 0x5a, 0x5a, 0x5a});
    const auto at = std::search(changed.begin(), changed.end(), old_value.begin(), old_value.end());
    const auto rest = changed.erase(at, at + 5);
    changed.insert(rest, sink.bytes.begin(), sink.bytes.end());
    return decode(changed);
  };
  const std::int64_t week = std::chrono::microseconds(kMaxDuration).count();
  EXPECT_TRUE(header(week).has_value());
  expect_malformed(header(week + 1), "header.remaining: out of range");
  expect_malformed(header(-1), "header.remaining: negative");
}

TEST(Codec, SaysOneMicrosecondForADeadlineThatHasPassed) {
  const auto decoded = decode(encode({{{}, std::chrono::microseconds(-5)}, Draining{}}));
  EXPECT_EQ(decoded->header.remaining, std::chrono::microseconds(1));
}

TEST(Codec, CutsTextsOfItsOwnInsteadOfEndingTheProcess) {
  const auto decoded = decode(encode({{}, Refuse{ErrorCode::kMismatch, std::string(2 * kMaxStringBytes, 'x') + "\n"}}));
  EXPECT_EQ(std::get<Refuse>(decoded->message).message, std::string(kMaxStringBytes, 'x'));
}

TEST(CodecDeathTest, StopsOwnCodeThatExceedsALimit) {
  Predict predict;
  predict.tokens.resize(kMaxTokens + 1);
  EXPECT_DEATH(encode({{}, predict}), "check failed");
}

TEST(CheckRows, AcceptsExactlyTheBytesOfTheShape) {
  const TensorShape shape{DType::kBFloat16, 3, 8};
  EXPECT_TRUE(check_rows(shape, 48).has_value());
  EXPECT_EQ(check_rows(shape, 47).error().code, ErrorCode::kMalformedMessage);
  EXPECT_EQ(check_rows(shape, 49).error().code, ErrorCode::kMalformedMessage);
}

TEST(CheckRows, RefusesShapesBeyondTheLimit) {
  const TensorShape shape{DType::kFloat32, 1U << 16U, (1U << 10U) + 1};
  EXPECT_FALSE(check_rows(shape, shape.bytes()).has_value());
}

}  // namespace
}  // namespace sida::proto
