// SIGINT and SIGTERM, taken by main and by no other thread.
#pragma once

#include <optional>
#include <string>

#include "common/runtime/clock.h"

namespace sida {

// Call in main before any thread starts: the mask is inherited. Also ignores SIGPIPE.
void block_shutdown_signals();

// Blocks until SIGINT or SIGTERM comes; its name.
std::string wait_for_shutdown_signal();
// The same, or nothing once `descriptor` is readable or it is so late.
std::optional<std::string> wait_for_shutdown_signal(int descriptor, TimePoint until = TimePoint::max());

// Does not block: the name of one that has come, and is taken by this; nothing when none has.
std::optional<std::string> poll_shutdown_signal();

}  // namespace sida
