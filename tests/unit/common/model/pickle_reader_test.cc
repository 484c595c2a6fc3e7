#include "common/model/pickle_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace sida::model {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

std::string text(const std::string& value) {
  return "X"s + static_cast<char>(value.size()) + "\0\0\0"s + value;
}

std::string integer(unsigned char value) {
  return "K"s + static_cast<char>(value);
}

std::string storage(const std::string& elements = integer(6)) {
  return "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + elements + "tQ";
}

// A [2, 3] tensor unless told otherwise.
std::string tensor(const std::string& shape = integer(2) + integer(3),
                   const std::string& stride = integer(3) + integer(1), const std::string& offset = integer(0),
                   const std::string& stored = storage()) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + stored + offset + "(" + shape + "t(" + stride + "t\x89" +
         "ccollections\nOrderedDict\n)RtR";
}

std::string pickle(const std::string& items) {
  return "\x80\x02}(" + items + "u.";
}

std::string refusal(const std::string& bytes) {
  const auto tensors = read_pickle(bytes);
  if (tensors) return "accepted";
  EXPECT_EQ(tensors.error().code, ErrorCode::kInvalidModel);
  return tensors.error().message;
}

TEST(PickleReader, FindsTensors) {
  const auto tensors =
      read_pickle(pickle(text("a") + tensor() + text("b") + tensor(integer(2), integer(1), integer(4))));
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 2U);
  EXPECT_EQ(tensors->at(0).name, "a");
  EXPECT_EQ(tensors->at(0).storage_type, "FloatStorage");
  EXPECT_EQ(tensors->at(0).storage_key, "0");
  EXPECT_EQ(tensors->at(0).storage_elements, 6U);
  EXPECT_EQ(tensors->at(0).shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(tensors->at(1).storage_offset, 4U);
}

// The form of the released checkpoints: an OrderedDict with _metadata, and parameters instead of tensors.
TEST(PickleReader, ReadsAnOrderedDictOfParametersWithMetadata) {
  const std::string parameter =
      "ctorch._utils\n_rebuild_parameter\n(" + tensor() + "\x88" + "ccollections\nOrderedDict\n)RtR";
  const std::string good = "\x80\x02"s + "ccollections\nOrderedDict\n)Rq\x01(" + text("a") + parameter + "u}q\x02" +
                           text("_metadata") + "ccollections\nOrderedDict\n)Rsb.";
  EXPECT_EQ(refusal(good), "accepted");
}

// The seeds of the fuzz target, which torch.save of PyTorch 2.11 wrote.
TEST(PickleReader, ReadsWhatTorchWrites) {
  const auto names_in = [](const std::string& file) {
    std::ifstream stream(SIDA_SOURCE_DIR "/tests/fuzz/corpus/pickle/" + file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    std::vector<std::string> names;
    const auto tensors = read_pickle(bytes);
    if (!tensors) return std::vector<std::string>{tensors.error().message};
    for (const auto& tensor : *tensors) names.push_back(tensor.name);
    return names;
  };
  EXPECT_THAT(names_in("dict"), testing::ElementsAre("a", "alias", "b", "h"));
  EXPECT_THAT(names_in("state-dict-with-metadata"), testing::ElementsAre("0.weight", "0.bias", "1.weight", "1.bias"));
  EXPECT_THAT(names_in("parameters"), testing::ElementsAre("0.weight", "0.bias", "1.weight", "1.bias"));
  EXPECT_THAT(names_in("protocol-4"), testing::ElementsAre("a", "d"));
  EXPECT_THAT(names_in("not-contiguous"), testing::ElementsAre(HasSubstr("tensor 'a' is not contiguous")));
}

TEST(PickleReader, ReadsProtocolFour) {
  const std::string short_text = "\x8c\x01"s + "a\x94";
  const std::string bytes = "\x80\x04\x95\x10\0\0\0\0\0\0\0"s + "}(" + short_text + tensor() + "u.";
  EXPECT_EQ(refusal(bytes), "accepted");
}

TEST(PickleReader, RefusesForeignGlobalsByName) {
  EXPECT_THAT(refusal("\x80\x02"s + "cos\nsystem\n(" + text("rm -rf /") + "tR."), HasSubstr("'os.system'"));
  EXPECT_THAT(refusal("\x80\x02"s + "cposix\nsystem\n."), HasSubstr("'posix.system'"));
  EXPECT_THAT(refusal("\x80\x02"s + "cbuiltins\neval\n."), HasSubstr("'builtins.eval'"));
  EXPECT_THAT(refusal("\x80\x02"s + "ctorch\nload\n."), HasSubstr("'torch.load'"));
  EXPECT_THAT(refusal("\x80\x04"s + "\x8c\x02os\x8c\x06system\x93."), HasSubstr("'os.system'"));
}

TEST(PickleReader, RefusesOpcodesThatConstructObjects) {
  for (const char opcode : std::string("io\x81\x92RCPI2")) {
    EXPECT_NE(refusal("\x80\x02"s + "}" + opcode + "."), "accepted") << opcode;
  }
}

TEST(PickleReader, RefusesEveryTruncation) {
  const std::string whole = pickle(text("a") + tensor());
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_NE(refusal(whole.substr(0, bytes)), "accepted") << bytes;
  }
}

TEST(PickleReader, NeverAnswersAViewOutsideItsStorageAfterABitFlip) {
  const std::string whole = pickle(text("a") + tensor());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto tensors = read_pickle(damaged);
    if (!tensors) continue;
    for (const auto& tensor : *tensors) {
      std::uint64_t elements = 1;
      for (std::int64_t size : tensor.shape) elements *= static_cast<std::uint64_t>(size);
      EXPECT_LE(tensor.storage_offset + elements, tensor.storage_elements);
    }
  }
}

TEST(PickleReader, RefusesAViewThatLeavesItsStorage) {
  EXPECT_THAT(refusal(pickle(text("a") + tensor(integer(2) + integer(3), integer(3) + integer(1), integer(1)))),
              HasSubstr("tensor 'a' is larger than its storage"));
  const std::string huge = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
  EXPECT_THAT(refusal(pickle(text("a") + tensor(huge + huge, integer(1) + integer(1)))), HasSubstr("tensor 'a'"));
  EXPECT_THAT(refusal(pickle(text("a") + tensor(integer(1), integer(1), huge))), HasSubstr("tensor 'a'"));
  const std::string negative = "J\xff\xff\xff\xff";
  EXPECT_THAT(refusal(pickle(text("a") + tensor(integer(1), integer(1), negative))), HasSubstr("tensor 'a'"));
}

TEST(PickleReader, RefusesTensorsThatAreNotContiguous) {
  EXPECT_THAT(refusal(pickle(text("a") + tensor(integer(2) + integer(3), integer(1) + integer(2)))),
              HasSubstr("tensor 'a' is not contiguous"));
  EXPECT_THAT(refusal(pickle(text("a") + tensor(integer(2) + integer(3), integer(0) + integer(1)))),
              HasSubstr("tensor 'a' is not contiguous"));
  EXPECT_EQ(refusal(pickle(text("a") + tensor(integer(1) + integer(6), integer(99) + integer(1)))), "accepted");
}

TEST(PickleReader, RefusesWhatIsNoStateDict) {
  EXPECT_THAT(refusal("\x80\x02K\x01."), HasSubstr("not a dict"));
  EXPECT_THAT(refusal(pickle(text("step") + integer(1))), HasSubstr("tensor 'step' is no tensor"));
  EXPECT_THAT(refusal(pickle(integer(1) + tensor())), HasSubstr("without a name"));
  EXPECT_THAT(refusal(pickle(text("a") + tensor() + text("a") + tensor())), HasSubstr("tensor 'a' appears twice"));
}

// Values that contain themselves, or a million levels of tuples: no recursion, so no overflow of the stack.
TEST(PickleReader, SurvivesNestingAndCycles) {
  EXPECT_THAT(refusal("\x80\x02)" + std::string(1'000'000, '\x85') + "."), HasSubstr("not a dict"));
  EXPECT_NE(refusal("\x80\x02}q\x01(" + text("a") + "h\x01u."), "accepted");
  EXPECT_NE(refusal("\x80\x02]q\x01h\x01"s + "a."), "accepted");
  EXPECT_THAT(refusal("\x80\x02" + std::string(1'000'000, '(') + "."), HasSubstr("unfinished"));
}

// Each level holds the level before twice: 2^60 values if anything copied them.
TEST(PickleReader, SharesRepeatedValues) {
  std::string bytes = "\x80\x02()q"s + '\0';
  for (char level = 0; level < 60; ++level) {
    const std::string get = "h"s + level;
    bytes += get + get + "\x86q" + static_cast<char>(level + 1);
  }
  EXPECT_THAT(refusal(bytes + "t."), HasSubstr("not a dict"));
}

TEST(PickleReader, RefusesDeclaredSizesBeyondTheFile) {
  EXPECT_THAT(refusal("\x80\x02X\xff\xff\xff\xff" + "a."s), HasSubstr("damaged"));
  EXPECT_THAT(refusal("\x80\x02j\xff\xff\xff\xff."), HasSubstr("reference to nothing"));
  EXPECT_THAT(refusal("\x80\x02}r\xff\xff\xff\xff."), HasSubstr("accepted"));  // A memo slot is a key, not a size.
}

}  // namespace
}  // namespace sida::model
