#include "router/http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>

namespace sida::router {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Parser = http::request_parser<http::string_body>;

auto into(error_code& error) {
  return net::redirect_error(net::use_awaitable, error);
}

// What a client is told when its bytes could not be read; nothing when it hung up or was too slow.
std::optional<ApiError> wire_error(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return ApiError{431, "headers_too_large", "request line and headers are too large", ""};
  }
  if (error == http::error::body_limit) {
    return ApiError{413, "body_too_large", "the body is too large", ""};
  }
  if (error.category() == make_error_code(http::error::bad_method).category() && error != http::error::end_of_stream &&
      error != http::error::partial_message) {
    return ApiError{400, "malformed_request", "not a well-formed HTTP/1.1 request", ""};
  }
  return std::nullopt;
}

// Two readings of where a request ends, or of whom it is for, are how requests are smuggled past a proxy. Stricter than
// the parser, which takes a length that is given twice alike, and leaves codings that it does not know to the handler.
ApiResult<void> check_framing(const Parser::value_type& request) {
  const auto malformed = [](const char* message) {
    return tl::unexpected<ApiError>(ApiError{400, "malformed_request", message, ""});
  };
  const std::size_t lengths = request.count(http::field::content_length);
  const std::size_t codings = request.count(http::field::transfer_encoding);
  if (lengths > 0 && codings > 0) return malformed("both Content-Length and Transfer-Encoding are given");
  const auto length = request[http::field::content_length];
  if (lengths > 1 || !std::all_of(length.begin(), length.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return malformed("more than one Content-Length, or one that is no number");
  }
  if (codings > 1 || (codings == 1 && !beast::iequals(request[http::field::transfer_encoding], "chunked"))) {
    return malformed("a Transfer-Encoding other than chunked");
  }
  const std::size_t hosts = request.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && request.version() > 10)) return malformed("not exactly one Host header");
  return {};
}

ApiResult<void> check_headers(const Parser& parser, const HttpLimits& limits) {
  const auto& request = parser.get();
  if (static_cast<std::int64_t>(request.target().size()) > limits.target_bytes_max) {
    return tl::unexpected<ApiError>(ApiError{414, "target_too_long", "the path is too long", ""});
  }
  if (std::distance(request.begin(), request.end()) > limits.headers_max) {
    return tl::unexpected<ApiError>(ApiError{431, "too_many_headers", "too many headers", ""});
  }
  return check_framing(request);
}

HttpRequest plain_request(http::request<http::string_body>&& request) {
  HttpRequest plain;
  plain.method = std::string(request.method_string());
  const std::string target(request.target());
  const std::size_t question = target.find('?');
  plain.path = target.substr(0, question);
  if (question != std::string::npos) plain.query = target.substr(question + 1);
  std::string type(request[http::field::content_type]);
  type = type.substr(0, type.find(';'));
  type.erase(std::find_if(type.rbegin(), type.rend(), [](char c) { return c != ' ' && c != '\t'; }).base(), type.end());
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  plain.content_type = std::move(type);
  plain.trace_parent = std::string(request["traceparent"]);
  plain.id = std::string(request["x-request-id"]);
  plain.authorization = std::string(request[http::field::authorization]);
  plain.origin = std::string(request[http::field::origin]);
  plain.body = std::move(request.body());
  return plain;
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
        }
      });
}

// Each event is one chunk of the body.
class ChunkSink : public EventSink {
 public:
  ChunkSink(beast::tcp_stream& stream, const HttpLimits& limits, ClientWatch& client)
      : stream_(stream), limits_(limits), client_(client) {}

  net::awaitable<bool> send(std::string data) override {
    if (client_.is_gone()) {
      co_return false;
    }
    const std::string event = "data: " + data + "\n\n";
    error_code error;
    stream_.expires_after(limits_.write_timeout);
    co_await net::async_write(stream_, http::make_chunk(net::buffer(event)), into(error));
    stream_.expires_never();
    if (error) {
      client_.gone();
    }
    co_return !error;
  }

 private:
  beast::tcp_stream& stream_;
  const HttpLimits& limits_;
  ClientWatch& client_;
};

class Session {
 public:
  Session(std::shared_ptr<Connection> connection, const HttpLimits& limits, HttpProbe& probe, const Handler& handler)
      : connection_(std::move(connection)),
        stream_(connection_->stream),
        // Room for the headers and for one read of a body.
        buffer_(limits.header_bytes_max + (64U << 10U)),
        limits_(limits),
        probe_(probe),
        handler_(handler) {}

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
    const std::size_t bytes = co_await stream_.async_read_some(buffer_.prepare(4096), into(error));
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
    const Answer answer = co_await handler_(plain_request(parser.release()), *connection_->client);
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
    co_await http::async_read_header(stream_, buffer_, parser, into(error));
    if (error) {
      co_return wire_error(error).value_or(ApiError{0, "", "", ""});
    }
    if (auto good = check_headers(parser, limits_); !good) {
      co_return good.error();
    }
    stream_.expires_after(limits_.body_timeout);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      http::response<http::empty_body> go_on(http::status::continue_, 11);
      co_await http::async_write(stream_, go_on, into(error));
      if (error) {
        co_return ApiError{0, "", "", ""};
      }
    }
    co_await http::async_read(stream_, buffer_, parser, into(error));
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
    co_await http::async_write(stream_, response, into(error));
    co_return !error;
  }

  net::awaitable<bool> write(const Reply& reply, unsigned version, bool keep_alive) {
    auto response = response_of<http::string_body>(reply, version, keep_alive);
    response.body() = reply.body;
    response.prepare_payload();
    error_code error;
    stream_.expires_after(limits_.write_timeout);
    co_await http::async_write(stream_, response, into(error));
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
    co_await http::async_write_header(stream_, serializer, into(error));
    if (error) {
      connection_->client->gone();
    }
    ChunkSink sink(stream_, limits_, *connection_->client);
    co_await answer.events(sink);
    if (connection_->client->is_gone()) {
      co_return false;
    }
    stream_.expires_after(limits_.write_timeout);
    co_await net::async_write(stream_, http::make_chunk_last(), into(error));
    co_return !error;
  }

  // Reads on for a moment before closing: a close with bytes unread would make the kernel discard the reply.
  net::awaitable<void> close() {
    constexpr std::size_t kDrainBytesMax = 16U << 20U;
    constexpr std::chrono::seconds kDrainTime{2};
    error_code error;
    stream_.socket().shutdown(net::ip::tcp::socket::shutdown_send, error);
    buffer_.clear();
    std::size_t drained = 0;
    stream_.expires_after(kDrainTime);
    while (!error && drained < kDrainBytesMax) {
      drained += co_await stream_.async_read_some(buffer_.prepare(4096), into(error));
    }
    stream_.socket().close(error);
  }

  std::shared_ptr<Connection> connection_;
  beast::tcp_stream& stream_;
  beast::flat_buffer buffer_;
  const HttpLimits& limits_;
  HttpProbe& probe_;
  const Handler& handler_;
};

}  // namespace

net::awaitable<void> serve(std::shared_ptr<Connection> connection, const HttpLimits& limits, HttpProbe& probe,
                           const Handler& handler) {
  Session session(std::move(connection), limits, probe, handler);
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
