// Any bytes as a .safetensors file: refused, or every tensor lies in the file.
#include <cstdint>
#include <vector>

#include "common/model/safetensors_reader.h"
#include "tests/support/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sida::test::MemoryFile memory({reinterpret_cast<const char*>(data), size});
  const auto file = sida::model::ReadOnlyFile::open(memory.path());
  SIDA_CHECK(file.has_value());
  const auto tensors = sida::model::read_safetensors(*file);
  if (!tensors) {
    SIDA_CHECK(tensors.error().code == sida::ErrorCode::kInvalidModel);
    return 0;
  }
  for (const auto& tensor : *tensors) {
    std::vector<std::byte> bytes(tensor.bytes);
    SIDA_CHECK(file->read(tensor.offset, bytes).has_value());
  }
  return 0;
}
