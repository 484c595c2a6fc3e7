// Answers that are sent piece by piece: server-sent events.
#pragma once

#include <functional>
#include <string>

#include "router/http/awaitable.h"
#include "router/http/reply.h"

namespace sida::router {

// Where the pieces go. HTTP thread only.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // One event with this data (no line breaks). False when the client is gone: send nothing more.
  virtual boost::asio::awaitable<bool> send(std::string data) = 0;
};

// Sends events until the answer is complete. Owns what it needs; is called at most once.
using EventSource = std::function<boost::asio::awaitable<void>(EventSink& sink)>;

// With `events`, the reply is the head of a stream and has no body of its own.
struct Answer {
  Reply reply;
  EventSource events;
};

}  // namespace sida::router
