#include "common/store/read_method.h"

namespace sida::store {

ReadMethod choose_read_method(const ReadRates& rates) {
  // A copy out of the page cache takes a tenth to a fifth of one of two cores at the 2 GB/s of a quick disk.
  constexpr double kSlowestShare = 0.8;
  if (!rates.direct || !rates.buffered) return ReadMethod::kBuffered;
  return *rates.direct >= kSlowestShare * *rates.buffered ? ReadMethod::kDirect : ReadMethod::kBuffered;
}

}  // namespace sida::store
