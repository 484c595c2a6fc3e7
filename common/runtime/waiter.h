// Waits on wake descriptors of links and mailboxes.
#pragma once

#include <span>

#include "common/runtime/clock.h"

namespace sida {

// Blocks until one descriptor is readable, `until` is reached, or a signal arrives (it then just returns). The caller
// then drains everything it owns, whatever woke it.
void wait_readable(std::span<const int> descriptors, TimePoint until);

// Whether one descriptor is readable now.
bool is_readable(int descriptor);

}  // namespace sida
