#include "cli/http_client.h"

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <utility>

#include "cli/error_line.h"

namespace sida::cli {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::uint64_t kAnswerBytesMax = 256U << 20U;

struct Exchange {
  const Url& url;
  const std::string& path;
  const nlohmann::json& body;
  std::chrono::milliseconds timeout;
};

http::request<http::string_body> request_of(const Exchange& exchange) {
  const bool post = !exchange.body.is_null();
  http::request<http::string_body> request(post ? http::verb::post : http::verb::get, exchange.path, 11);
  request.set(http::field::host, exchange.url.host);
  request.set(http::field::user_agent, "sida");
  if (!exchange.url.api_key.empty()) {
    request.set(http::field::authorization, "Bearer " + exchange.url.api_key);
  }
  if (post) {
    request.set(http::field::content_type, "application/json");
    request.body() = exchange.body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  request.prepare_payload();
  return request;
}

net::awaitable<void> send_request(const Exchange& exchange, beast::tcp_stream& stream) {
  net::ip::tcp::resolver resolver(stream.get_executor());
  const auto endpoints = co_await resolver.async_resolve(exchange.url.host, exchange.url.port, net::use_awaitable);
  stream.expires_after(exchange.timeout);
  co_await stream.async_connect(endpoints, net::use_awaitable);
  const auto request = request_of(exchange);
  co_await http::async_write(stream, request, net::use_awaitable);
}

net::awaitable<void> talk(const Exchange& exchange, HttpAnswer& answer) {
  beast::tcp_stream stream(co_await net::this_coro::executor);
  co_await send_request(exchange, stream);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kAnswerBytesMax);
  co_await http::async_read(stream, buffer, parser, net::use_awaitable);
  answer.status = parser.get().result_int();
  answer.body = nlohmann::json::parse(parser.get().body(), nullptr, false);
}

// Takes the events that are complete off the front of what has come.
void take_events(std::string& come, const std::function<void(const nlohmann::json&)>& on_event) {
  constexpr std::string_view kEnd = "\n\n";
  constexpr std::string_view kData = "data: ";
  for (std::size_t end = come.find(kEnd); end != std::string::npos; end = come.find(kEnd)) {
    const std::string event = come.substr(0, end);
    come.erase(0, end + kEnd.size());
    if (!event.starts_with(kData)) continue;
    const auto data = nlohmann::json::parse(event.substr(kData.size()), nullptr, false);
    if (!data.is_discarded()) on_event(data);
  }
}

// `answer` has a body only where its status says that something went wrong.
net::awaitable<void> follow(const Exchange& exchange, const std::function<void(const nlohmann::json&)>& on_event,
                            HttpAnswer& answer) {
  beast::tcp_stream stream(co_await net::this_coro::executor);
  co_await send_request(exchange, stream);
  beast::flat_buffer buffer;
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(kAnswerBytesMax);
  co_await http::async_read_header(stream, buffer, parser, net::use_awaitable);
  answer.status = parser.get().result_int();
  std::array<char, 16384> piece{};
  std::string come;
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    boost::system::error_code error;
    co_await http::async_read_some(stream, buffer, parser, net::redirect_error(net::use_awaitable, error));
    if (error && error != http::error::need_buffer) throw boost::system::system_error(error);
    come.append(piece.data(), piece.size() - parser.get().body().size);
    if (answer.status <= 299) take_events(come, on_event);
  }
  if (answer.status > 299) answer.body = nlohmann::json::parse(come, nullptr, false);
}

// Runs it to its end; what it throws becomes an error.
Result<void> run_exchange(const Url& url, net::io_context& context, net::awaitable<void> exchange) {
  const std::string place = "http://" + url.host + ":" + url.port;
  try {
    std::exception_ptr failure;
    net::co_spawn(context, std::move(exchange), [&failure](std::exception_ptr thrown) { failure = std::move(thrown); });
    context.run();
    if (failure) {
      std::rethrow_exception(failure);
    }
    return {};
  } catch (const boost::system::system_error& error) {
    return fail(ErrorCode::kUnavailable, place + " does not answer (" + error.code().message() +
                                             "): is the cluster running? sida serve starts one");
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, place + ": " + error.what());
  }
}

}  // namespace

Result<Url> parse_url(const std::string& text) {
  constexpr std::string_view kScheme = "http://";
  const auto bad = [&text] {
    return fail(ErrorCode::kInvalidArgument, "'" + text + "' is no address of a router (write http://HOST:PORT)");
  };
  if (!text.starts_with(kScheme)) {
    return bad();
  }
  std::string rest = text.substr(kScheme.size());
  if (const std::size_t slash = rest.find('/'); slash != std::string::npos) {
    if (slash + 1 != rest.size()) {
      return bad();
    }
    rest.resize(slash);
  }
  std::size_t port_from = rest.find(':');
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    port_from = end == std::string::npos || end + 1 == rest.size() ? std::string::npos : end + 1;
    if (end == std::string::npos || (port_from != std::string::npos && rest[port_from] != ':')) {
      return bad();
    }
  }
  Url url{rest.substr(0, port_from), port_from == std::string::npos ? "80" : rest.substr(port_from + 1)};
  if (url.host.starts_with('[')) {
    url.host = url.host.substr(1, url.host.size() - 2);
  }
  const bool digits =
      !url.port.empty() && url.port.size() <= 5 && url.port.find_first_not_of("0123456789") == std::string::npos;
  return url.host.empty() || !digits ? Result<Url>(bad()) : Result<Url>(std::move(url));
}

Result<HttpAnswer> http_call(const Url& url, const std::string& path, const nlohmann::json& body,
                             std::chrono::milliseconds timeout) {
  net::io_context context{1};
  HttpAnswer answer;
  const Exchange exchange{url, path, body, timeout};
  SIDA_TRY(run_exchange(url, context, talk(exchange, answer)));
  return answer;
}

Result<void> http_stream(const Url& url, const std::string& path, const nlohmann::json& body,
                         std::chrono::milliseconds timeout,
                         const std::function<void(const nlohmann::json& data)>& on_event) {
  net::io_context context{1};
  HttpAnswer answer;
  const Exchange exchange{url, path, body, timeout};
  SIDA_TRY(run_exchange(url, context, follow(exchange, on_event, answer)));
  if (answer.status > 299) return tl::unexpected<Error>(error_of(answer));
  return {};
}

Error error_of(const HttpAnswer& answer) {
  if (answer.body.is_object() && answer.body.contains("error") && answer.body["error"].is_object()) {
    const auto& error = answer.body["error"];
    const auto code = error_code_named(error.value("code", ""));
    return {code.value_or(answer.status >= 500 ? ErrorCode::kInternal : ErrorCode::kInvalidArgument),
            error.value("message", "")};
  }
  return {answer.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInvalidArgument,
          "the router answered with HTTP status " + std::to_string(answer.status)};
}

Result<nlohmann::json> http_ask(const Url& url, const std::string& path, const nlohmann::json& body,
                                std::chrono::milliseconds timeout) {
  auto answer = http_call(url, path, body, timeout);
  if (!answer) {
    return tl::unexpected<Error>(std::move(answer).error());
  }
  if (answer->status > 299) {
    return tl::unexpected<Error>(error_of(*answer));
  }
  if (answer->body.is_discarded()) {
    return fail(ErrorCode::kInternal, "http://" + url.host + ":" + url.port + path + " answered with no JSON");
  }
  return std::move(answer->body);
}

}  // namespace sida::cli
