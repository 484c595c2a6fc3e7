#include "common/model/pickle_writer.h"

#include <string_view>

#include "common/base/checked_math.h"

namespace sida::model {

namespace {

const char* storage_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "FloatStorage";
    case DType::kBFloat16:
      return "BFloat16Storage";
    case DType::kFloat16:
      return "HalfStorage";
    case DType::kInt64:
      return "LongStorage";
    case DType::kInt32:
      return "IntStorage";
    case DType::kInt16:
      return "ShortStorage";
    case DType::kUInt8:
      return "ByteStorage";
  }
  return "ByteStorage";
}

class PickleText {
 public:
  void raw(std::string_view bytes) { text_ += bytes; }

  void number(std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) text_ += static_cast<char>((value >> (8 * i)) & 0xffU);
  }

  void text(std::string_view value) {  // BINUNICODE
    text_ += 'X';
    number(value.size(), 4);
    text_ += value;
  }

  void integer(std::uint64_t value) {
    if (value < 0x80000000U) {
      text_ += 'J';  // BININT
      number(value, 4);
    } else {
      text_ += "\x8a\x09";  // LONG1 of nine bytes: the last one keeps the sign positive.
      number(value, 8);
      text_ += '\0';
    }
  }

  // torch._utils._rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())
  void tensor(const TensorToWrite& tensor, std::size_t storage) {
    const std::uint64_t elements = tensor.bytes() / bytes_per_element(tensor.dtype);
    raw("ctorch._utils\n_rebuild_tensor_v2\n((");
    text("storage");
    raw("ctorch\n");
    raw(storage_type(tensor.dtype));
    raw("\n");
    text(std::to_string(storage));
    text("cpu");
    integer(elements);
    raw("tQ");
    integer(0);
    raw("(");
    for (std::int64_t size : tensor.shape) integer(static_cast<std::uint64_t>(size));
    raw("t(");
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      integer(*checked_elements(std::span(tensor.shape).subspan(i + 1)));
    }
    raw("t\x89"
        "ccollections\nOrderedDict\n)RtR");
  }

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::string write_pickle(const std::vector<TensorToWrite>& tensors) {
  PickleText pickle;
  pickle.raw(
      "\x80\x02"
      "ccollections\nOrderedDict\n)R(");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    pickle.text(tensors[i].name);
    pickle.tensor(tensors[i], i);
    for (const std::string& alias : tensors[i].aliases) {
      pickle.text(alias);
      pickle.tensor(tensors[i], i);
    }
  }
  pickle.raw("u.");
  return pickle.take();
}

}  // namespace sida::model
