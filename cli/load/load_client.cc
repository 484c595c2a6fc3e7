#include "cli/load/load_client.h"

#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace sida::load {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kAnswerBytesMax = 1U << 30U;  // Of one stream.
using Endpoints = net::ip::tcp::resolver::results_type;

auto into(error_code& error) {
  return net::redirect_error(net::use_awaitable, error);
}

// Reads server-sent events as they come and notes tokens in a record.
class EventReader {
 public:
  explicit EventReader(RequestRecord& record) : record_(record) {}

  // `text`: all of the body so far. `now`: when its end came.
  void take(const std::string& text, Seconds now) {
    for (std::size_t end = text.find("\n\n", read_); end != std::string::npos; end = text.find("\n\n", read_)) {
      event(std::string_view(text).substr(read_, end - read_), now);
      read_ = end + 2;
    }
  }
  [[nodiscard]] bool done() const { return done_; }

 private:
  void event(std::string_view line, Seconds now) {
    if (!line.starts_with("data: ")) return;
    line.remove_prefix(6);
    if (line == "[DONE]") {
      done_ = true;
      return;
    }
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) return;
    if (json.contains("error")) {
      record_.error = json["error"].is_object() ? json["error"].value("code", "error") : "error";
    }
    if (json.contains("usage") && json["usage"].is_object()) {
      record_.input_tokens = json["usage"].value("prompt_tokens", std::int64_t{0});
      record_.output_tokens = json["usage"].value("completion_tokens", std::int64_t{0});
    }
    if (!json.contains("choices") || json["choices"].empty()) return;
    // The event that only says why the answer ended carries no token.
    const auto& choice = json["choices"][0];
    if (choice.value("finish_reason", nlohmann::json()).is_null() || choice.value("text", "") != "") {
      record_.tokens.push_back(now);
    }
  }

  RequestRecord& record_;
  std::size_t read_ = 0;
  bool done_ = false;
};

class LoadRun {
 public:
  explicit LoadRun(const LoadPlan& plan)
      : plan_(plan), records_(plan.intended.empty() ? plan.requests : plan.intended.size()), turn_(context_) {
    turn_.expires_at(Clock::time_point::max());
  }

  std::vector<RequestRecord> run() {
    error_code error;
    endpoints_ = net::ip::tcp::resolver(context_).resolve(plan_.url.host, plan_.url.port, error);
    begun_ = Clock::now();
    if (plan_.intended.empty()) {
      const std::size_t clients = std::min(std::max<std::size_t>(1, plan_.concurrency), records_.size());
      for (std::size_t client = 0; client < clients; ++client) net::co_spawn(context_, ask_on(), net::detached);
    } else {
      net::co_spawn(context_, send_in_time(), net::detached);
    }
    context_.run();
    return std::move(records_);
  }

 private:
  [[nodiscard]] Seconds now() const { return Clock::now() - begun_; }

  // Closed loop: the next request when the last is answered.
  net::awaitable<void> ask_on() {
    while (next_ < records_.size()) {
      RequestRecord& record = records_[next_];
      record.intended = now();
      co_await ask(next_++);
    }
  }

  // Open loop: at its time, whatever became of those before.
  net::awaitable<void> send_in_time() {
    net::steady_timer timer(context_);
    for (std::size_t index = 0; index < records_.size(); ++index) {
      records_[index].intended = plan_.intended[index];
      timer.expires_at(begun_ + std::chrono::duration_cast<Clock::duration>(plan_.intended[index]));
      error_code ignored;
      co_await timer.async_wait(into(ignored));
      while (plan_.concurrency > 0 && under_way_ >= plan_.concurrency) co_await turn_.async_wait(into(ignored));
      ++under_way_;
      net::co_spawn(context_, ask_and_leave(index), net::detached);
    }
  }

  net::awaitable<void> ask_and_leave(std::size_t index) {
    co_await ask(index);
    --under_way_;
    turn_.cancel();
  }

  net::awaitable<void> ask(std::size_t index) {
    RequestRecord& record = records_[index];
    record.sent = now();
    beast::tcp_stream stream(context_);
    stream.expires_after(plan_.timeout);
    error_code error;
    co_await stream.async_connect(endpoints_, into(error));
    if (!error) co_await exchange(stream, index, error);
    record.ended = now();
    if (error && record.error.empty()) record.error = error == beast::error::timeout ? "timeout" : error.message();
    if (record.output_tokens == 0) record.output_tokens = static_cast<std::int64_t>(record.tokens.size());
  }

  [[nodiscard]] http::request<http::string_body> request(std::size_t index) const {
    http::request<http::string_body> request(http::verb::post, "/v1/completions", 11);
    request.set(http::field::host, plan_.url.host);
    request.set(http::field::user_agent, "sida-bench");
    request.set(http::field::content_type, "application/json");
    if (!plan_.url.api_key.empty()) request.set(http::field::authorization, "Bearer " + plan_.url.api_key);
    nlohmann::json body = plan_.bodies[index % plan_.bodies.size()];
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    request.body() = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    request.keep_alive(false);
    request.prepare_payload();
    return request;
  }

  net::awaitable<void> exchange(beast::tcp_stream& stream, std::size_t index, error_code& error) {
    RequestRecord& record = records_[index];
    const auto asked = request(index);
    co_await http::async_write(stream, asked, into(error));
    if (error) co_return;
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kAnswerBytesMax);
    co_await http::async_read_header(stream, buffer, parser, into(error));
    if (error) co_return;
    record.status = parser.get().result_int();
    EventReader events(record);
    while (!error && !parser.is_done()) {
      co_await http::async_read_some(stream, buffer, parser, into(error));
      if (record.status == 200) events.take(parser.get().body(), now());
    }
    if (error) co_return;
    if (record.status != 200) {
      const auto json = nlohmann::json::parse(parser.get().body(), nullptr, false);
      const bool told = json.is_object() && json.contains("error") && json["error"].is_object();
      record.error = told ? json["error"].value("code", "error") : "http_" + std::to_string(record.status);
    } else if (!events.done() && record.error.empty()) {
      record.error = "cut_off";
    }
  }

  const LoadPlan& plan_;
  net::io_context context_{1};
  Endpoints endpoints_;
  Clock::time_point begun_;
  std::vector<RequestRecord> records_;
  std::size_t next_ = 0;
  std::size_t under_way_ = 0;
  net::steady_timer turn_;  // Cancelled when a request has ended.
};

}  // namespace

std::vector<RequestRecord> run_load(const LoadPlan& plan) {
  return LoadRun(plan).run();
}

}  // namespace sida::load
