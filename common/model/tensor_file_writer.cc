#include "common/model/tensor_file_writer.h"

#include "common/base/checked_math.h"

namespace sida::model {

std::uint64_t TensorToWrite::bytes() const {
  const auto elements = checked_elements(shape);
  const auto total = elements ? checked_mul(*elements, bytes_per_element(dtype)) : std::nullopt;
  SIDA_CHECK(total.has_value());
  return *total;
}

}  // namespace sida::model
