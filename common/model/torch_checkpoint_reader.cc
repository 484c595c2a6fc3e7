#include "common/model/torch_checkpoint_reader.h"

namespace sida::model {

Result<std::vector<StoredTensor>> read_torch_checkpoint(const ReadOnlyFile&) {
  return fail(ErrorCode::kInvalidModel, "PyTorch checkpoints cannot be read yet; save the model as safetensors");
}

}  // namespace sida::model
