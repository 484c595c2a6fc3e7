#include "router/http/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <type_traits>

#include "router/http/wire_request.h"

namespace sida::router {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Parser = WireParser;

auto into(error_code& error) {
  return net::redirect_error(net::use_awaitable, error);
}

// The peer has said that it sends nothing more, though bytes from before may be unread.
bool has_left(net::ip::tcp::socket& socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
         info.tcpi_state != TCP_ESTABLISHED;
}

// Where bytes wait to be read (a next request, or the farewell of TLS, which only reading would tell apart) the end
// behind them wakes nobody, so it is looked for until the request is answered.
void look_again(const std::shared_ptr<Connection>& connection, const std::shared_ptr<ClientWatch>& client) {
  constexpr std::chrono::milliseconds kBetweenLooks{100};
  auto timer = std::make_shared<net::steady_timer>(connection->stream.get_executor(), kBetweenLooks);
  timer->async_wait([timer, connection, client](const error_code&) {
    if (connection->client != client) return;
    if (has_left(connection->stream.socket())) {
      client->gone();
    } else {
      look_again(connection, client);
    }
  });
}

// Calls client->gone() when the peer closes while its answer is being made. Ends when the socket is cancelled.
void watch_client(const std::shared_ptr<Connection>& connection) {
  connection->stream.socket().async_wait(
      net::ip::tcp::socket::wait_read, [connection, client = connection->client](const error_code& error) {
        if (error || connection->client != client) {
          return;
        }
        char next = 0;
        const auto bytes = ::recv(connection->stream.socket().native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
        const bool closed = bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
        if (closed) {
          client->gone();
        } else if (bytes > 0) {
          look_again(connection, client);
        }
      });
}

// Each event is one chunk of the body.
template <typename Io>
class ChunkSink : public EventSink {
 public:
  ChunkSink(Io& io, beast::tcp_stream& stream, const HttpLimits& limits, ClientWatch& client)
      : io_(io), stream_(stream), limits_(limits), client_(client) {}

  net::awaitable<bool> send(std::string data) override {
    if (client_.is_gone()) {
      co_return false;
    }
    const std::string event = "data: " + data + "\n\n";
    error_code error;
    stream_.expires_after(limits_.write_timeout);
    co_await net::async_write(io_, http::make_chunk(net::buffer(event)), into(error));
    stream_.expires_never();
    if (error) {
      client_.gone();
    }
    co_return !error;
  }

 private:
  Io& io_;
  beast::tcp_stream& stream_;  // Under io_.
  const HttpLimits& limits_;
  ClientWatch& client_;
};

// Io: the connection's stream itself, or TLS over it.
template <typename Io>
class Session {
 public:
  Session(std::shared_ptr<Connection> connection, Io& io, const HttpLimits& limits, HttpProbe& probe,
          const Handler& handler)
      : connection_(std::move(connection)),
        stream_(connection_->stream),
        io_(io),
        // Room for the headers and for one read of a body.
        buffer_(limits.header_bytes_max + (64U << 10U)),
        limits_(limits),
        probe_(probe),
        handler_(handler) {
    error_code gone;
    const auto peer = stream_.socket().remote_endpoint(gone);
    if (!gone) address_ = peer.address().to_string();
  }

  net::awaitable<void> run() {
    bool open = true;
    while (open) {
      open = co_await wait_for_request();
      if (open) {
        open = co_await answer_one();
      }
    }
    co_await close();
  }

 private:
  // False when the client left or stayed silent too long.
  net::awaitable<bool> wait_for_request() {
    if (buffer_.size() > 0) {
      co_return true;
    }
    error_code error;
    stream_.expires_after(limits_.idle_timeout);
    const std::size_t bytes = co_await io_.async_read_some(buffer_.prepare(4096), into(error));
    buffer_.commit(bytes);
    co_return !error;
  }

  // False when the connection must end.
  net::awaitable<bool> answer_one() {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
    parser.body_limit(limits_.body_bytes_max);
    const auto refused = co_await read_request(parser);
    if (refused) {
      probe_.request_unreadable();
      if (!refused->code.empty()) {
        co_await write(error_reply(*refused), 11, false);
      }
      co_return false;
    }
    const unsigned version = parser.get().version();
    const bool keep_alive = parser.get().keep_alive();
    const bool head_only = parser.get().method() == http::verb::head;
    watch_client_of_request();
    HttpRequest request = plain_request(parser.release());
    request.address = address_;
    const Answer answer = co_await handler_(std::move(request), *connection_->client);
    bool written = false;
    if (!connection_->client->is_gone()) {
      if (answer.events) {
        written = co_await write_events(answer, version, keep_alive);
      } else if (head_only) {
        written = co_await write_head(answer.reply, version, keep_alive);
      } else {
        written = co_await write(answer.reply, version, keep_alive);
      }
    }
    unwatch_client();
    co_return written&& keep_alive;
  }

  // Nothing when the request is complete; an error with an empty code when there is nobody to tell.
  net::awaitable<std::optional<ApiError>> read_request(Parser& parser) {
    error_code error;
    stream_.expires_after(limits_.header_timeout);
    co_await http::async_read_header(io_, buffer_, parser, into(error));
    if (error) {
      co_return wire_error(error).value_or(ApiError{0, "", "", ""});
    }
    if (auto good = check_headers(parser, limits_); !good) {
      co_return good.error();
    }
    stream_.expires_after(limits_.body_timeout);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      http::response<http::empty_body> go_on(http::status::continue_, 11);
      co_await http::async_write(io_, go_on, into(error));
      if (error) {
        co_return ApiError{0, "", "", ""};
      }
    }
    co_await http::async_read(io_, buffer_, parser, into(error));
    if (error) {
      co_return wire_error(error).value_or(ApiError{0, "", "", ""});
    }
    co_return std::nullopt;
  }

  void watch_client_of_request() {
    connection_->client = std::make_shared<ClientWatch>();
    stream_.expires_never();
    // A next request that is there already says that the client is, and would end the watch at once.
    if (buffer_.size() == 0) {
      watch_client(connection_);
    }
  }

  void unwatch_client() {
    if (connection_->client->is_gone()) {
      probe_.client_went_away();
    }
    connection_->client = nullptr;
    error_code ignored;
    stream_.socket().cancel(ignored);
  }

  template <typename Body>
  static http::response<Body> response_of(const Reply& reply, unsigned version, bool keep_alive) {
    http::response<Body> response(static_cast<http::status>(reply.status), version);
    response.set(http::field::server, "sida");
    response.set(http::field::content_type, reply.content_type);
    for (const auto& [name, value] : reply.headers) {
      response.set(name, value);
    }
    response.keep_alive(keep_alive);
    return response;
  }

  // What a GET would get, less the body.
  net::awaitable<bool> write_head(const Reply& reply, unsigned version, bool keep_alive) {
    auto response = response_of<http::empty_body>(reply, version, keep_alive);
    response.content_length(reply.body.size());
    error_code error;
    stream_.expires_after(limits_.write_timeout);
    co_await http::async_write(io_, response, into(error));
    co_return !error;
  }

  net::awaitable<bool> write(const Reply& reply, unsigned version, bool keep_alive) {
    auto response = response_of<http::string_body>(reply, version, keep_alive);
    response.body() = reply.body;
    response.prepare_payload();
    error_code error;
    stream_.expires_after(limits_.write_timeout);
    co_await http::async_write(io_, response, into(error));
    co_return !error;
  }

  // Chunked, since the length is not known before the end.
  net::awaitable<bool> write_events(const Answer& answer, unsigned version, bool keep_alive) {
    http::response<http::empty_body> head(http::status::ok, version);
    head.set(http::field::server, "sida");
    head.set(http::field::content_type, answer.reply.content_type);
    head.set(http::field::cache_control, "no-cache");
    for (const auto& [name, value] : answer.reply.headers) {
      head.set(name, value);
    }
    head.keep_alive(keep_alive);
    head.chunked(true);
    http::response_serializer<http::empty_body> serializer(head);
    error_code error;
    stream_.expires_after(limits_.write_timeout);
    co_await http::async_write_header(io_, serializer, into(error));
    if (error) {
      connection_->client->gone();
    }
    ChunkSink<Io> sink(io_, stream_, limits_, *connection_->client);
    co_await answer.events(sink);
    if (connection_->client->is_gone()) {
      co_return false;
    }
    stream_.expires_after(limits_.write_timeout);
    co_await net::async_write(io_, http::make_chunk_last(), into(error));
    co_return !error;
  }

  // Reads on for a moment before closing: a close with bytes unread would make the kernel discard the reply.
  net::awaitable<void> close() {
    constexpr std::size_t kDrainBytesMax = 16U << 20U;
    constexpr std::chrono::seconds kDrainTime{2};
    error_code error;
    stream_.expires_after(kDrainTime);
    if constexpr (!std::is_same_v<Io, beast::tcp_stream>) {
      error_code ignored;  // The client may not wait for the farewell.
      co_await io_.async_shutdown(into(ignored));
    }
    stream_.socket().shutdown(net::ip::tcp::socket::shutdown_send, error);
    buffer_.clear();
    std::size_t drained = 0;
    while (!error && drained < kDrainBytesMax) {
      drained += co_await stream_.async_read_some(buffer_.prepare(4096), into(error));
    }
    stream_.socket().close(error);
  }

  std::shared_ptr<Connection> connection_;
  beast::tcp_stream& stream_;  // Under io_: has the deadlines.
  Io& io_;
  beast::flat_buffer buffer_;
  const HttpLimits& limits_;
  HttpProbe& probe_;
  const Handler& handler_;
  std::string address_;  // Of the client.
};

}  // namespace

net::awaitable<void> serve(std::shared_ptr<Connection> connection, const HttpLimits& limits, HttpProbe& probe,
                           const Handler& handler) {
  if (!connection->tls) {
    Session session(connection, connection->stream, limits, probe, handler);
    co_await session.run();
    co_return;
  }
  error_code error;
  connection->stream.expires_after(limits.header_timeout);
  co_await connection->tls->async_handshake(net::ssl::stream_base::server, into(error));
  if (error) {
    probe.request_unreadable();
    error_code ignored;
    connection->stream.socket().close(ignored);
    co_return;
  }
  Session session(connection, *connection->tls, limits, probe, handler);
  co_await session.run();
}

void abort_connection(Connection& connection) {
  if (connection.client != nullptr) {
    connection.client->gone();
  }
  error_code ignored;
  connection.stream.socket().close(ignored);
}

}  // namespace sida::router
