// How the data file of a store is best read on this disk: the decision, without the measurement.
#pragma once

#include <optional>
#include <string_view>

namespace sida::store {

enum class ReadMethod {
  kDirect,   // Past the page cache, straight into the slot.
  kBuffered  // Through the page cache, which is told to forget.
};

constexpr std::string_view name(ReadMethod method) {
  return method == ReadMethod::kDirect ? "direct" : "buffered";
}

// Measured on the file itself, bytes per second.
struct ReadRates {
  std::optional<double> direct;    // Nothing: the file system does not offer it.
  std::optional<double> buffered;  // Nothing: too small to measure.
};

// Direct reads leave the processor and the page cache alone, so they are taken unless they are clearly slower. A small
// file is read through the page cache: nothing is to be gained.
[[nodiscard]] ReadMethod choose_read_method(const ReadRates& rates);

}  // namespace sida::store
