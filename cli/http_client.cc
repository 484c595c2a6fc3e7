#include "cli/http_client.h"

#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

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
  if (post) {
    request.set(http::field::content_type, "application/json");
    request.body() = exchange.body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  request.prepare_payload();
  return request;
}

net::awaitable<void> talk(const Exchange& exchange, HttpAnswer& answer) {
  const auto executor = co_await net::this_coro::executor;
  net::ip::tcp::resolver resolver(executor);
  const auto endpoints = co_await resolver.async_resolve(exchange.url.host, exchange.url.port, net::use_awaitable);
  beast::tcp_stream stream(executor);
  stream.expires_after(exchange.timeout);
  co_await stream.async_connect(endpoints, net::use_awaitable);
  const auto request = request_of(exchange);
  co_await http::async_write(stream, request, net::use_awaitable);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kAnswerBytesMax);
  co_await http::async_read(stream, buffer, parser, net::use_awaitable);
  answer.status = parser.get().result_int();
  answer.body = nlohmann::json::parse(parser.get().body(), nullptr, false);
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
  const std::string place = "http://" + url.host + ":" + url.port;
  try {
    net::io_context context{1};
    HttpAnswer answer;
    std::exception_ptr failure;
    const Exchange exchange{url, path, body, timeout};
    net::co_spawn(context, talk(exchange, answer),
                  [&failure](std::exception_ptr thrown) { failure = std::move(thrown); });
    context.run();
    if (failure) {
      std::rethrow_exception(failure);
    }
    return answer;
  } catch (const boost::system::system_error& error) {
    return fail(ErrorCode::kUnavailable, place + " does not answer (" + error.code().message() +
                                             "): is the cluster running? sida serve starts one");
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, place + ": " + error.what());
  }
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
