// Tensors of a pytorch_model*.bin: a zip archive of one pickle and one record per storage, as torch.save writes it.
#pragma once

#include <vector>

#include "common/base/result.h"
#include "common/model/read_only_file.h"
#include "common/model/stored_tensor.h"

namespace sida::model {

// Nothing in the pickle is executed (pickle_reader.h). Errors: kInvalidModel naming the tensor, kIo. The format before
// PyTorch 1.6, which is no zip archive, is refused with what to do about it.
[[nodiscard]] Result<std::vector<StoredTensor>> read_torch_checkpoint(const ReadOnlyFile& file);

}  // namespace sida::model
