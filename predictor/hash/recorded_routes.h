// A trace as a hash function: the routes that `sida trace` recorded, said of the very texts that they were recorded of.
#pragma once

#include <filesystem>
#include <memory>

#include "common/base/result.h"
#include "common/trace/traced_sequence.h"
#include "predictor/hash/hash_function.h"
#include "predictor/hash/predictor_directory.h"

namespace sida::predictor {

// The header of a trace of the model, for trace::check_fits(): without tokeniser and start token.
trace::TraceHeader trace_of(const ServedModel& model);

// Reads the whole trace and holds every sequence in memory, as Oracle (oracle.h). What capacity dropped has no
// prediction. kNotFound, kIo; kInvalidModel for one that is damaged or cut off, kMismatch for one of another model,
// with the file named.
Result<std::unique_ptr<HashFunction>> open_recorded_routes(const std::filesystem::path& trace,
                                                           const ServedModel& model);

}  // namespace sida::predictor
