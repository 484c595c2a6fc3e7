// When the requests of an open loop are meant to be sent. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cli/load/request_record.h"

namespace sida::load {

// `count` times from 0 on, ascending: a Poisson process of `rate` requests a second, the same for the same seed. An
// infinite rate: all at 0.
std::vector<Seconds> poisson_arrivals(double rate, std::size_t count, std::uint64_t seed);

}  // namespace sida::load
