// Both kinds of links over a Station.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/transport/inprocess/station.h"
#include "common/transport/parts.h"

namespace sida::transport::inprocess {

template <typename Interface, typename Message>
class Client final : public Interface {
 public:
  Client(std::shared_ptr<Station<Message>> station, std::size_t message_bytes_max)
      : station_(std::move(station)), lane_(station_->connect()), message_bytes_max_(message_bytes_max) {}
  ~Client() override { station_->disconnect(lane_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Result<void> send(Message message) override {
    SIDA_TRY(check_sizes(to_parts(message), message_bytes_max_));
    return station_->send_to_server(lane_, std::move(message));
  }
  std::optional<Message> receive() override { return station_->receive_at_client(lane_); }
  [[nodiscard]] int wake_descriptor() const override { return lane_->client_wake.descriptor(); }
  [[nodiscard]] std::uint64_t interruptions() const override { return 0; }

 private:
  std::shared_ptr<Station<Message>> station_;
  typename Station<Message>::LanePointer lane_;
  std::size_t message_bytes_max_;
};

template <typename Interface, typename Message>
class Server final : public Interface {
 public:
  using Received = typename Interface::Received;

  // The station's server, after open_server() said so.
  Server(std::shared_ptr<Station<Message>> station, std::string endpoint, std::size_t message_bytes_max)
      : station_(std::move(station)), endpoint_(std::move(endpoint)), message_bytes_max_(message_bytes_max) {}
  ~Server() override { station_->close_server(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Result<void> send(PeerId peer, Message message) override {
    SIDA_TRY(check_sizes(to_parts(message), message_bytes_max_));
    return station_->send_to_client(peer, std::move(message));
  }
  std::optional<Received> receive() override {
    auto received = station_->receive_at_server();
    if (!received) return std::nullopt;
    return Received{received->first, std::move(received->second)};
  }
  [[nodiscard]] int wake_descriptor() const override { return station_->server_descriptor(); }
  [[nodiscard]] const std::string& endpoint() const override { return endpoint_; }

 private:
  std::shared_ptr<Station<Message>> station_;
  std::string endpoint_;
  std::size_t message_bytes_max_;
};

}  // namespace sida::transport::inprocess
