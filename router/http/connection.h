// One HTTP connection: reads requests within the limits, hands each to a handler, writes the reply.
#pragma once

#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <functional>
#include <memory>
#include <optional>

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
  // `tls`: nullptr for plain HTTP; else outlives it.
  Connection(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* tls_context) : stream(std::move(socket)) {
    if (tls_context != nullptr) tls.emplace(stream, *tls_context);
  }

  boost::beast::tcp_stream stream;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls;  // Over `stream`, which keeps the deadlines.
  std::shared_ptr<ClientWatch> client;  // Of the request being answered; nullptr between requests.
};

// Until the client leaves, breaks a limit or stops sending. What it references must outlive it.
boost::asio::awaitable<void> serve(std::shared_ptr<Connection> connection, const HttpLimits& limits, HttpProbe& probe,
                                   const Handler& handler);

// Ends a connection from outside: the coroutine above returns soon after.
void abort_connection(Connection& connection);

}  // namespace sida::router
