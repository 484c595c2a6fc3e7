#include "common/base/random_id.h"

#include <random>

namespace sida {

std::uint64_t random_id() {
  std::random_device device;
  std::uint64_t id = 0;
  while (id == 0) id = (static_cast<std::uint64_t>(device()) << 32U) | device();
  return id;
}

}  // namespace sida
