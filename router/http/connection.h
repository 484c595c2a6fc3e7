// One HTTP connection: reads requests within the limits, hands each to a handler, writes the reply.
#pragma once

#include <boost/beast/core/tcp_stream.hpp>
#include <functional>
#include <memory>

#include "router/http/awaitable.h"
#include "router/http/client_watch.h"
#include "router/http/event_stream.h"
#include "router/http/http_options.h"
#include "router/http/http_request.h"
#include "router/http/metrics.h"

namespace sida::router {

using Handler = std::function<boost::asio::awaitable<Answer>(HttpRequest request, ClientWatch& client)>;

// Touched on the HTTP thread only.
struct Connection {
  explicit Connection(boost::asio::ip::tcp::socket socket) : stream(std::move(socket)) {}

  boost::beast::tcp_stream stream;
  std::shared_ptr<ClientWatch> client;  // Of the request being answered; nullptr between requests.
};

// Until the client leaves, breaks a limit or stops sending. What it references must outlive it.
boost::asio::awaitable<void> serve(std::shared_ptr<Connection> connection, const HttpLimits& limits, HttpProbe& probe,
                                   const Handler& handler);

// Ends a connection from outside: the coroutine above returns soon after.
void abort_connection(Connection& connection);

}  // namespace sida::router
