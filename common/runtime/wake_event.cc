#include "common/runtime/wake_event.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "common/base/result.h"

namespace sida {

WakeEvent::WakeEvent() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  SIDA_CHECK(descriptor_ >= 0);
}

WakeEvent::~WakeEvent() {
  close(descriptor_);
}

void WakeEvent::signal() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the descriptor is readable anyway.
  [[maybe_unused]] const auto written = write(descriptor_, &one, sizeof one);
}

void WakeEvent::clear() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto read_bytes = read(descriptor_, &count, sizeof count);
}

}  // namespace sida
