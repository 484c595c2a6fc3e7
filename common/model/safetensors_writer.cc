#include "common/model/safetensors_writer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/model/output_file.h"

namespace sida::model {

namespace {

const char* stored_name(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "F32";
    case DType::kBFloat16:
      return "BF16";
    case DType::kFloat16:
      return "F16";
    case DType::kInt64:
      return "I64";
    case DType::kInt32:
      return "I32";
    case DType::kInt16:
      return "I16";
    case DType::kUInt8:
      return "U8";
  }
  return "U8";
}

// Length, JSON, and spaces up to a multiple of eight, so that data is aligned.
std::string header_of(const std::vector<TensorToWrite>& tensors) {
  nlohmann::json header;
  header["__metadata__"]["format"] = "pt";  // Hugging Face refuses files without it.
  std::uint64_t begin = 0;
  for (const TensorToWrite& tensor : tensors) {
    SIDA_CHECK(tensor.aliases.empty());
    const std::uint64_t end = begin + tensor.bytes();
    header[tensor.name] = {
        {"dtype", stored_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string json = header.dump();
  json.append((8 - json.size() % 8) % 8, ' ');
  std::string prefix(8, '\0');
  for (unsigned i = 0; i < 8; ++i) prefix[i] = static_cast<char>((json.size() >> (8 * i)) & 0xffU);
  return prefix + json;
}

class SafetensorsWriter : public TensorFileWriter {
 public:
  SafetensorsWriter(OutputFile file, std::uint64_t bytes) : file_(std::move(file)), missing_(bytes) {}

  Result<void> append(std::span<const std::byte> bytes) override {
    SIDA_CHECK(bytes.size() <= missing_);
    missing_ -= bytes.size();
    return file_.append(bytes);
  }

  Result<void> finish() override {
    SIDA_CHECK(missing_ == 0);
    return file_.finish();
  }

 private:
  OutputFile file_;
  std::uint64_t missing_;
};

}  // namespace

Result<std::unique_ptr<TensorFileWriter>> create_safetensors(const std::filesystem::path& path,
                                                             const std::vector<TensorToWrite>& tensors) {
  auto file = OutputFile::create(path);
  if (!file) return tl::unexpected(std::move(file).error());
  SIDA_TRY(file->append(header_of(tensors)));
  std::uint64_t bytes = 0;
  for (const TensorToWrite& tensor : tensors) bytes += tensor.bytes();
  return std::make_unique<SafetensorsWriter>(std::move(*file), bytes);
}

}  // namespace sida::model
