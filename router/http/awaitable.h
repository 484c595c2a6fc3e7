// Asio's coroutine type. Boost 1.74's header uses std::exchange without including it, so <utility> must come first.
#pragma once

#include <utility>

#include <boost/asio/awaitable.hpp>
