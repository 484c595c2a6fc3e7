#include "common/store/block_checksum.h"

#include <xxhash.h>

#include "common/base/result.h"

namespace sida::store {

void BlockChecksum::Free::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

BlockChecksum::BlockChecksum() : state_(XXH3_createState()) {
  SIDA_CHECK(state_ != nullptr);
  XXH3_64bits_reset(state_.get());
}

void BlockChecksum::add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
}

std::uint64_t BlockChecksum::value() const {
  return XXH3_64bits_digest(state_.get());
}

}  // namespace sida::store
