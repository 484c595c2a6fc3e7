// Any bytes as data.pkl: refused, or every view lies in its storage.
#include <cstdint>

#include "common/base/checked_math.h"
#include "common/model/pickle_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tensors = sida::model::read_pickle({reinterpret_cast<const char*>(data), size});
  if (!tensors) {
    SIDA_CHECK(tensors.error().code == sida::ErrorCode::kInvalidModel);
    return 0;
  }
  for (const auto& tensor : *tensors) {
    const auto elements = sida::checked_elements(tensor.shape);
    SIDA_CHECK(elements.has_value());
    const auto end = sida::checked_add(tensor.storage_offset, *elements);
    SIDA_CHECK(end.has_value() && *end <= tensor.storage_elements);
  }
  return 0;
}
