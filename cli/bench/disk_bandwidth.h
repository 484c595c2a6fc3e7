// The limit of everything that reads experts: bytes per second that the disk gives, read as an expert-worker reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "common/store/store_file.h"

namespace sida::bench {

// One caller at a time. The model outlives it.
class DiskBandwidth {
 public:
  // Opens the model's store, if it has one, which measures how it is best read.
  static Result<DiskBandwidth> open(const model::ModelDirectory& model);

  // Reads about `bytes` of experts by each of `readers` threads at the same time, each other experts and another piece
  // of the model every call, after the page cache has forgotten the model: bytes per second of all together. Blocks.
  Result<double> pass(std::uint64_t bytes, int readers);

  [[nodiscard]] std::string method() const;

 private:
  DiskBandwidth(const model::ModelDirectory& model, std::optional<store::StoreFile> store)
      : model_(&model), store_(std::move(store)) {}
  // Reads the experts [first, first + count) of all, around the end: bytes.
  Result<std::uint64_t> read(std::uint64_t first, std::uint64_t count) const;

  const model::ModelDirectory* model_;
  std::optional<store::StoreFile> store_;
  std::uint64_t next_ = 0;
};

}  // namespace sida::bench
