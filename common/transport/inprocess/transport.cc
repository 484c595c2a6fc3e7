#include "common/transport/transport.h"

#include <map>
#include <mutex>
#include <utility>

#include "common/transport/inprocess/links.h"

namespace sida::transport {
namespace inprocess {
namespace {

constexpr std::string_view kScheme = "inproc://";

// The stations of one kind of message by endpoint. Any thread.
template <typename Message>
class Stations {
 public:
  explicit Stations(const Limits& limits) : limits_(limits) {}

  // kInvalidArgument unless the endpoint is "inproc://NAME".
  Result<std::shared_ptr<Station<Message>>> at(const std::string& endpoint) {
    if (!endpoint.starts_with(kScheme) || endpoint.size() == kScheme.size()) {
      return fail(ErrorCode::kInvalidArgument, "endpoint " + endpoint + ": must be inproc://NAME");
    }
    const std::lock_guard lock(mutex_);
    auto& station = stations_[endpoint];
    if (!station) station = std::make_shared<Station<Message>>(static_cast<std::size_t>(limits_.queue_messages_max));
    return station;
  }

 private:
  Limits limits_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Station<Message>>> stations_;
};

class InProcessTransport final : public Transport {
 public:
  explicit InProcessTransport(const Limits& limits)
      : message_bytes_max_(limits.message_bytes_max), control_(limits), tensors_(limits) {}

  Result<std::unique_ptr<ControlServer>> serve_control(const std::string& endpoint) override {
    return serve<ControlServer>(control_, endpoint);
  }
  Result<std::unique_ptr<ControlClient>> connect_control(const ServerAddress& server) override {
    return connect<ControlClient>(control_, server.endpoint);
  }
  Result<std::unique_ptr<TensorServer>> serve_tensors(const std::string& endpoint) override {
    return serve<TensorServer>(tensors_, endpoint);
  }
  Result<std::unique_ptr<TensorClient>> connect_tensors(const ServerAddress& server) override {
    return connect<TensorClient>(tensors_, server.endpoint);
  }

 private:
  template <typename Interface, typename Message>
  Result<std::unique_ptr<Interface>> serve(Stations<Message>& stations, const std::string& endpoint) {
    auto station = stations.at(endpoint);
    if (!station) return tl::unexpected(station.error());
    if (!(*station)->open_server()) return fail(ErrorCode::kIo, "endpoint " + endpoint + ": served already");
    return std::make_unique<Server<Interface, Message>>(std::move(*station), endpoint, message_bytes_max_);
  }

  template <typename Interface, typename Message>
  Result<std::unique_ptr<Interface>> connect(Stations<Message>& stations, const std::string& endpoint) {
    auto station = stations.at(endpoint);
    if (!station) return tl::unexpected(station.error());
    return std::make_unique<Client<Interface, Message>>(std::move(*station), message_bytes_max_);
  }

  std::size_t message_bytes_max_;
  Stations<Frame> control_;
  Stations<TensorMessage> tensors_;
};

}  // namespace
}  // namespace inprocess

std::unique_ptr<Transport> make_in_process_transport(const Limits& limits) {
  return std::make_unique<inprocess::InProcessTransport>(limits);
}

}  // namespace sida::transport
