// The same layers by LibTorch: at::linear over plain weights, and oneDNN over weights that it packed itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/base/result.h"
#include "common/tensor/dtype.h"

namespace sida::bench {

enum class Packing {
  kPlain,   // at::linear over row-major weights.
  kPacked,  // mkldnn::_linear_pointwise over weights from mkldnn::_reorder_linear_weight: what torch.compile uses.
};

struct LibraryShape {
  DType dtype = DType::kFloat32;
  int threads = 1;
  std::int64_t outputs = 0;  // Of the first matrix; the second one's inputs.
  std::int64_t inputs = 0;
  std::size_t copies = 1;  // Of both matrices, used in turn.
};

// One thread, whose count of LibTorch threads it sets. Results go nowhere.
class LibraryLayers {
 public:
  explicit LibraryLayers(const LibraryShape& shape);
  ~LibraryLayers();
  LibraryLayers(const LibraryLayers&) = delete;
  LibraryLayers& operator=(const LibraryLayers&) = delete;

  // Makes input of so many rows and packs all weights for it. kInternal when LibTorch threw, for example because this
  // build of it has no oneDNN.
  Result<void> set_rows(std::int64_t rows);

  // After set_rows. May throw what LibTorch throws, which the calls of set_rows have not met.
  void linear(Packing packing);
  void expert(Packing packing);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sida::bench
