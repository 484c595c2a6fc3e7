// Ids of process incarnations.
#pragma once

#include <cstdint>

namespace sida {

// 64 bits from the operating system's generator, never zero: zero means "none" in messages. Any thread.
std::uint64_t random_id();

}  // namespace sida
