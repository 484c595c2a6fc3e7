// Who is next in line when the requests of several clients wait: each client gets an equal share of the tokens, however
// many requests it has waiting. Start-time fair queuing (Goyal, Vin and Cheng, SIGCOMM 1996): a place in line is known
// on arrival and does not change, so the line can be looked at without taking from it, as choosing a batch needs.
// Deficit round robin gives the same shares, but tells its order only by serving.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace sida::router {

// Of one client a line is first come, first served. Holds a few words per client that has something waiting, nothing of
// others: who comes back is as new.
class FairShares {
 public:
  // One more request of `cost` tokens waits. Its place in line: lower ones are before it, of equals the older.
  std::int64_t arrived(std::uint64_t client, std::int64_t cost) {
    Share& share = shares_[client];
    // Never before an older one of the same client, though what left between them costs nothing.
    const std::int64_t place = std::max({served_, share.next_place, share.last_place});  // As next_place().
    share.last_place = place;
    share.next_place = place + cost;
    ++share.waiting;
    return place;
  }
  // The place that the client's next request would have.
  [[nodiscard]] std::int64_t next_place(std::uint64_t client) const {
    const auto found = shares_.find(client);
    return found == shares_.end() ? served_ : std::max({served_, found->second.next_place, found->second.last_place});
  }
  // The request at that place is served.
  void served(std::uint64_t client, std::int64_t place) {
    served_ = std::max(served_, place);
    forget_one(client);
  }
  // It leaves unserved, and what comes after it does not pay for it.
  void left(std::uint64_t client, std::int64_t cost) {
    shares_[client].next_place -= cost;
    forget_one(client);
  }

  [[nodiscard]] std::size_t waiting(std::uint64_t client) const {
    const auto found = shares_.find(client);
    return found == shares_.end() ? 0 : found->second.waiting;
  }
  [[nodiscard]] std::size_t clients() const { return shares_.size(); }

 private:
  struct Share {
    std::int64_t next_place = 0;  // Of its next request, if nobody is served beyond that.
    std::int64_t last_place = 0;  // Of its newest request.
    std::size_t waiting = 0;
  };

  void forget_one(std::uint64_t client) {
    const auto found = shares_.find(client);
    if (--found->second.waiting == 0) shares_.erase(found);
  }

  std::int64_t served_ = 0;  // The place of whoever was served last; in tokens, so it does not overflow.
  std::unordered_map<std::uint64_t, Share> shares_;
};

}  // namespace sida::router
