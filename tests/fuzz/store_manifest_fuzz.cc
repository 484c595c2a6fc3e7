// Any bytes as the manifest of an expert store: refused, or every block lies in the data file, and it is written back
// as the same manifest.
#include <cstdint>
#include <string_view>

#include "common/model/store_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sida::model;
  const auto manifest = parse_store_manifest({reinterpret_cast<const char*>(data), size});
  if (!manifest) {
    SIDA_CHECK(manifest.error().code == sida::ErrorCode::kInvalidModel);
    return 0;
  }
  const StoreGeometry& geometry = manifest->geometry;
  SIDA_CHECK(check(geometry).has_value());
  SIDA_CHECK(manifest->checksums.size() == geometry.experts() &&
             manifest->source_dtypes.size() == 2 * geometry.experts());
  SIDA_CHECK(geometry.stride_bytes() % kStoreAlignment == 0 && geometry.stride_bytes() >= geometry.block_bytes());
  const std::uint64_t last = geometry.index(geometry.key(geometry.experts() - 1));
  SIDA_CHECK(last * geometry.stride_bytes() + geometry.stride_bytes() == geometry.data_bytes());
  SIDA_CHECK(parse_store_manifest(to_json(*manifest)) == *manifest);
  return 0;
}
