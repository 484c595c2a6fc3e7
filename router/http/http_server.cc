#include "router/http/http_server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <set>

#include "router/http/admin_api.h"
#include "router/http/api_keys.h"
#include "router/http/connection.h"
#include "router/http/metrics.h"
#include "router/http/public_api.h"
#include "router/http/tls_context.h"

namespace sida::router {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
using tcp = net::ip::tcp;

constexpr std::chrono::seconds kStopGrace{3};           // For cancelled requests to end.
constexpr std::chrono::milliseconds kAcceptRetry{100};  // After accept failed, as when out of descriptors.
constexpr std::int64_t kAdminConnectionsMax = 64;
constexpr std::chrono::milliseconds kDrainLook{20};  // Between two looks at what is still open.

Result<tcp::acceptor> listen_on(net::io_context& context, const std::string& host, std::int64_t port) {
  const std::string place = "port " + std::to_string(port) + " of " + host;
  error_code error;
  const auto address = net::ip::make_address(host, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument, "'" + host + "' is no IP address to bind (write 127.0.0.1 or ::1)");
  }
  const tcp::endpoint endpoint(address, static_cast<std::uint16_t>(port));
  tcp::acceptor acceptor(context);
  acceptor.open(endpoint.protocol(), error);
  if (!error) {
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error) {
    acceptor.bind(endpoint, error);
  }
  if (!error) {
    acceptor.listen(net::socket_base::max_listen_connections, error);
  }
  if (error == net::error::address_in_use) {
    return fail(ErrorCode::kIo, place + " is in use: end what listens there, or choose another port");
  }
  if (error) {
    return fail(ErrorCode::kIo, place + ": " + error.message());
  }
  return acceptor;
}

void warn_if_open(const HttpOptions& options, const ApiKeys& keys) {
  error_code error;
  const auto address = net::ip::make_address(options.host, error);
  if (!error && !address.is_loopback() && !keys.required()) {
    spdlog::warn("everybody who reaches the port may use it host={} advice=\"give --api-key or --api-key-file\"",
                 options.host);
  }
}

// One listening port and its connections.
class Port {
 public:
  Port(tcp::acceptor acceptor, const HttpLimits& limits, std::int64_t connections_max, HttpProbe& probe,
       Handler handler, net::ssl::context* tls = nullptr)
      : acceptor_(std::move(acceptor)),
        tls_(tls),
        limits_(limits),
        connections_max_(connections_max),
        probe_(probe),
        handler_(std::move(handler)) {}

  [[nodiscard]] std::uint16_t number() const {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }

  // Connections with a request that is not fully answered.
  [[nodiscard]] std::int64_t open_requests() const {
    return std::count_if(connections_.begin(), connections_.end(),
                         [](const auto& connection) { return connection->client != nullptr; });
  }

  void start() { net::co_spawn(acceptor_.get_executor(), accept_all(), log_failure); }

  // `when_ended` is called once the last connection has ended, at once when there is none.
  void stop(std::function<void()> when_ended) {
    when_ended_ = std::move(when_ended);
    stopping_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    for (const auto& connection : connections_) {
      abort_connection(*connection);
    }
    if (connections_.empty()) {
      when_ended_();
    }
  }

 private:
  static void log_failure(const std::exception_ptr& failure) {
    if (failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& error) {
        spdlog::error("http connection failed error=\"{}\"", error.what());
      }
    }
  }

  net::awaitable<void> accept_all() {
    net::steady_timer retry(acceptor_.get_executor());
    while (!stopping_) {
      error_code error;
      tcp::socket socket(acceptor_.get_executor());
      co_await acceptor_.async_accept(socket, net::redirect_error(net::use_awaitable, error));
      if (stopping_) {
        co_return;
      }
      if (error) {
        spdlog::warn("http accept failed error=\"{}\"", error.message());
        retry.expires_after(kAcceptRetry);
        co_await retry.async_wait(net::redirect_error(net::use_awaitable, error));
      } else if (static_cast<std::int64_t>(connections_.size()) >= connections_max_) {
        refuse(std::move(socket));
      } else {
        begin(std::move(socket));
      }
    }
  }

  void begin(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    auto connection = std::make_shared<Connection>(std::move(socket), tls_);
    connections_.insert(connection);
    probe_.connection_opened();
    net::co_spawn(acceptor_.get_executor(), serve(connection, limits_, probe_, handler_),
                  [this, connection](const std::exception_ptr& failure) {
                    log_failure(failure);
                    connections_.erase(connection);
                    probe_.connection_closed();
                    if (stopping_ && connections_.empty()) {
                      when_ended_();
                    }
                  });
  }

  // Best effort and never waits: a short answer fits into any socket's buffer.
  void refuse(tcp::socket socket) {
    const Reply reply = error_reply({503, "too_many_connections", "too many connections", ""});
    const std::string refusal =
        "HTTP/1.1 503 Service Unavailable\r\nServer: sida\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        "Connection: close\r\nContent-Length: " +
        std::to_string(reply.body.size()) + "\r\n\r\n" + reply.body;
    probe_.connection_refused();
    error_code ignored;
    socket.non_blocking(true, ignored);
    if (tls_ == nullptr) socket.write_some(net::buffer(refusal), ignored);  // Else it would be no TLS.
    socket.shutdown(tcp::socket::shutdown_send, ignored);
  }

  tcp::acceptor acceptor_;
  net::ssl::context* tls_;  // nullptr: plain HTTP.
  const HttpLimits& limits_;
  std::int64_t connections_max_;
  HttpProbe& probe_;
  Handler handler_;
  std::set<std::shared_ptr<Connection>> connections_;
  bool stopping_ = false;
  std::function<void()> when_ended_;
};

class BeastServer : public HttpServer {
 public:
  BeastServer(HttpOptions options, std::shared_ptr<net::ssl::context> tls, ApiKeys keys, ServedModel model,
              Engine& engine)
      : options_(std::move(options)),
        tls_(std::move(tls)),
        admin_api_(engine, model.name, probe_),
        api_(engine, std::move(model), options_.limits, std::move(keys), probe_) {}

  Result<void> bind_ports() {
    auto acceptor = listen_on(context_, options_.host, options_.port);
    if (!acceptor) {
      return tl::unexpected<Error>(std::move(acceptor).error());
    }
    auto admin_acceptor = listen_on(context_, options_.admin_host, options_.admin_port);
    if (!admin_acceptor) {
      return tl::unexpected<Error>(std::move(admin_acceptor).error());
    }
    public_.emplace(
        *std::move(acceptor), options_.limits, options_.limits.connections_max, probe_,
        [this](HttpRequest request, ClientWatch& client) { return api_.handle(std::move(request), client); },
        tls_.get());
    admin_.emplace(*std::move(admin_acceptor), options_.limits, kAdminConnectionsMax, probe_,
                   [this](HttpRequest request, ClientWatch&) { return answer(std::move(request)); });
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return public_port_; }
  [[nodiscard]] std::uint16_t admin_port() const override { return admin_port_; }

  void remember_ports() {
    public_port_ = public_->number();
    admin_port_ = admin_->number();
  }

  void run() override {
    public_->start();
    admin_->start();
    context_.run();
  }

  void drain(std::chrono::milliseconds grace) override {
    net::post(context_, [this, grace] {
      api_.refuse_new_requests();
      net::co_spawn(context_, stop_when_idle(steady_now() + grace), net::detached);
    });
  }

  void stop() override {
    net::post(context_, [this] { stop_now(); });
  }

 private:
  net::awaitable<void> stop_when_idle(TimePoint until) {
    net::steady_timer timer(context_);
    while (!stopping_ && public_->open_requests() > 0 && steady_now() < until) {
      timer.expires_after(kDrainLook);
      error_code ignored;
      co_await timer.async_wait(net::redirect_error(net::use_awaitable, ignored));
    }
    if (public_->open_requests() > 0) {
      spdlog::warn("grace is over requests_cut_off={}", public_->open_requests());
    }
    stop_now();
  }

  void stop_now() {
    if (std::exchange(stopping_, true)) {
      return;
    }
    stop_timer_.expires_after(kStopGrace);
    stop_timer_.async_wait([this](const error_code&) { context_.stop(); });
    ports_open_ = 2;
    const auto ended = [this] {
      if (--ports_open_ == 0) {
        stop_timer_.cancel();
      }
    };
    public_->stop(ended);
    admin_->stop(ended);
  }

  net::awaitable<Answer> answer(HttpRequest request) { co_return Answer{admin_api_.answer(request), {}}; }

  HttpOptions options_;
  std::shared_ptr<net::ssl::context> tls_;  // nullptr: plain HTTP.
  HttpProbe probe_;
  AdminApi admin_api_;
  PublicApi api_;
  net::io_context context_{1};
  net::steady_timer stop_timer_{context_};
  std::optional<Port> public_;
  std::optional<Port> admin_;
  bool stopping_ = false;
  int ports_open_ = 0;  // Counted down while stopping.
  std::uint16_t public_port_ = 0;
  std::uint16_t admin_port_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(HttpOptions options, ServedModel model, Engine& engine) {
  auto keys = ApiKeys::load(options.access.api_keys, options.access.api_key_file);
  if (!keys) {
    return tl::unexpected<Error>(std::move(keys).error());
  }
  auto tls = make_tls_context(options.access.ssl_certfile, options.access.ssl_keyfile);
  if (!tls) {
    return tl::unexpected<Error>(std::move(tls).error());
  }
  warn_if_open(options, *keys);
  auto server =
      std::make_unique<BeastServer>(std::move(options), *std::move(tls), *std::move(keys), std::move(model), engine);
  SIDA_TRY(server->bind_ports());
  server->remember_ports();
  return Result<std::unique_ptr<HttpServer>>(std::move(server));
}

}  // namespace sida::router
