// The header of a trace that is to be recorded with a model.
#pragma once

#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "common/trace/traced_sequence.h"

namespace sida::cli {

// Reads the tokeniser's file for its fingerprint: kIo.
Result<trace::TraceHeader> trace_header_of(const model::ModelDirectory& model);

}  // namespace sida::cli
