#include "common/runtime/waiter.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace sida {

void wait_readable(std::span<const int> descriptors, TimePoint until) {
  std::vector<pollfd> polled;
  polled.reserve(descriptors.size());
  for (int descriptor : descriptors) polled.push_back({descriptor, POLLIN, 0});
  const auto left = std::max(Duration::zero(), until - steady_now());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  const timespec timeout{seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
  ppoll(polled.data(), polled.size(), &timeout, nullptr);
}

bool is_readable(int descriptor) {
  pollfd polled{descriptor, POLLIN, 0};
  return poll(&polled, 1, 0) == 1;
}

}  // namespace sida
