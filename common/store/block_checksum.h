// The checksum of a block: XXH3 with 64 bits (libxxhash), of bytes that come in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

struct XXH3_state_s;

namespace sida::store {

// One thread. Fast enough not to show beside a disk: 10 GB/s and more on one core.
class BlockChecksum {
 public:
  BlockChecksum();

  void add(std::span<const std::byte> bytes);
  // Of all that was added; more may follow.
  [[nodiscard]] std::uint64_t value() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace sida::store
