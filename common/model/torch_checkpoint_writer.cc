#include "common/model/torch_checkpoint_writer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/model/pickle_writer.h"
#include "common/model/zip_writer.h"

namespace sida::model {

namespace {

class TorchCheckpointWriter : public TensorFileWriter {
 public:
  TorchCheckpointWriter(ZipWriter zip, std::string folder, const std::vector<TensorToWrite>& tensors)
      : zip_(std::move(zip)), folder_(std::move(folder)) {
    for (const TensorToWrite& tensor : tensors) sizes_.push_back(tensor.bytes());
  }

  Result<void> append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      while (missing_ == 0) SIDA_TRY(next_record());
      const std::size_t count = std::min<std::uint64_t>(bytes.size(), missing_);
      SIDA_TRY(zip_.append(bytes.first(count)));
      bytes = bytes.subspan(count);
      missing_ -= count;
      if (missing_ == 0) SIDA_TRY(zip_.end());
    }
    return {};
  }

  Result<void> finish() override {
    while (next_ < sizes_.size()) {
      SIDA_CHECK(sizes_[next_] == 0);
      SIDA_TRY(next_record());
    }
    SIDA_TRY(zip_.add(folder_ + "version", "3\n"));
    return zip_.finish();
  }

 private:
  // Opens the record of the next tensor; an empty one is complete at once.
  Result<void> next_record() {
    SIDA_CHECK(next_ < sizes_.size());
    missing_ = sizes_[next_];
    SIDA_TRY(zip_.begin(folder_ + "data/" + std::to_string(next_++), missing_));
    return missing_ > 0 ? Result<void>() : zip_.end();
  }

  ZipWriter zip_;
  std::string folder_;
  std::vector<std::uint64_t> sizes_;
  std::size_t next_ = 0;       // Tensor whose record is not begun yet.
  std::uint64_t missing_ = 0;  // Bytes of the open record.
};

}  // namespace

Result<std::unique_ptr<TensorFileWriter>> create_torch_checkpoint(const std::filesystem::path& path,
                                                                  const std::vector<TensorToWrite>& tensors) {
  auto zip = ZipWriter::create(path);
  if (!zip) return tl::unexpected(std::move(zip).error());
  const std::string folder = path.stem().string() + "/";
  SIDA_TRY(zip->add(folder + "data.pkl", write_pickle(tensors)));
  SIDA_TRY(zip->add(folder + "byteorder", "little"));
  return std::make_unique<TorchCheckpointWriter>(std::move(*zip), folder, tensors);
}

}  // namespace sida::model
