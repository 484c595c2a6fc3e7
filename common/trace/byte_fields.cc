#include "common/trace/byte_fields.h"

#include <zlib.h>

namespace sida::trace {

std::uint32_t checksum(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

}  // namespace sida::trace
