// The pickle of a PyTorch checkpoint (pickle_reader.h has the format).
#pragma once

#include <string>
#include <vector>

#include "common/model/tensor_file_writer.h"

namespace sida::model {

// data.pkl of a state dict, an OrderedDict: every tensor and its aliases; storage "<i>" is that of tensor i.
// About 250 bytes for each name.
[[nodiscard]] std::string write_pickle(const std::vector<TensorToWrite>& tensors);

}  // namespace sida::model
