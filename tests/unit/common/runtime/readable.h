// Whether a descriptor is readable now.
#pragma once

#include <poll.h>

namespace sida {

inline bool is_readable(int descriptor) {
  pollfd polled{descriptor, POLLIN, 0};
  return poll(&polled, 1, 0) == 1;
}

}  // namespace sida
