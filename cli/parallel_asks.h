// Several questions under way at a time, their answers taken in order.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <utility>

#include "common/base/result.h"

namespace sida::cli {

// Calls ask(index) for indices below `count` on threads of its own, at most `parallel` at a time, and take(index,
// answer) on this thread in order of the index. Looks about ten times a second whether stop() says to begin nothing
// further; what is under way is taken still. Ends at the first error of either.
template <typename Answer>
Result<void> ask_in_order(std::size_t count, std::size_t parallel,
                          const std::function<Result<Answer>(std::size_t)>& ask,
                          const std::function<Result<void>(std::size_t, Answer)>& take,
                          const std::function<bool()>& stop) {
  std::deque<std::future<Result<Answer>>> under_way;
  std::size_t next = 0;
  std::size_t taken = 0;
  bool stopped = false;
  while (true) {
    stopped = stopped || stop();
    while (!stopped && next < count && under_way.size() < parallel) {
      under_way.push_back(std::async(std::launch::async, std::cref(ask), next));
      ++next;
    }
    if (under_way.empty()) return {};
    if (under_way.front().wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) continue;
    auto answer = under_way.front().get();
    under_way.pop_front();
    if (!answer) return tl::unexpected(std::move(answer).error());
    SIDA_TRY(take(taken, std::move(*answer)));
    ++taken;
  }
}

}  // namespace sida::cli
