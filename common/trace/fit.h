// Whether a trace can be used: whole, and of the model at hand.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/trace/trace_reader.h"

namespace sida::trace {

// `model`: the header that a trace of the model has; its tokeniser and start token do not matter. kMismatch, with the
// file and the remedy, unless fingerprint, layers, experts and vocabulary are the same.
[[nodiscard]] Result<void> check_fits(const std::string& path, const TraceHeader& header, const TraceHeader& model);

// After next() has given nothing: kInvalidModel, with the file and the remedy, when the last sequence was cut off.
[[nodiscard]] Result<void> check_whole(const std::string& path, const TraceReader& reader);

}  // namespace sida::trace
