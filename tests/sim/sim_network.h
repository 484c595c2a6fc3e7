// Links between simulated processes: delayed, in order per link and direction, sometimes blocked, sometimes lossy.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/proto/messages.h"
#include "common/transport/control_link.h"
#include "tests/support/sim/event_loop.h"
#include "tests/support/sim/sim_random.h"

namespace sida::sim {

using transport::PeerId;
using RowValues = std::vector<std::uint64_t>;  // Stands for the bytes of rows.

struct Packet {
  proto::Message message;
  RowValues rows;
  TimePoint deadline = TimePoint::max();  // Of a dispatch.
};

enum class LinkKind { kControl, kTensor };

// What listens behind an endpoint. Null while no process runs there.
class Server {
 public:
  virtual ~Server() = default;
  virtual void receive(PeerId peer, LinkKind kind, Packet packet) = 0;
};

class Network {
 public:
  using Receiver = std::function<void(Packet)>;

  Network(EventLoop& loop, SimRandom& random) : loop_(loop), random_(random) {}

  void listen(const std::string& endpoint, Server* server);
  // A client's link; `receiver` gets what the server sends back, until close().
  PeerId connect(const std::string& endpoint, LinkKind kind, Receiver receiver);
  void close(PeerId link);

  void to_server(PeerId link, Packet packet);
  void to_client(PeerId link, Packet packet);

  // Nothing arrives on such links of the endpoint until then; it is late, not lost.
  void block(const std::string& endpoint, LinkKind kind, TimePoint until) { blocked_until_[{endpoint, kind}] = until; }
  // The share of messages that vanish.
  void set_loss_per_mille(std::uint64_t loss) { loss_per_mille_ = loss; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  struct Link {
    std::string endpoint;
    LinkKind kind = LinkKind::kControl;
    Receiver receiver;
    TimePoint last_to_server{};
    TimePoint last_to_client{};
    std::vector<Packet> held;  // Sent while nobody listened: a client delivers them once somebody does.
  };

  bool loses();
  TimePoint arrival(const Link& link, TimePoint& last);
  void deliver(PeerId id, Packet packet);

  EventLoop& loop_;
  SimRandom& random_;
  std::map<PeerId, Link> links_;
  std::map<std::string, Server*> servers_;
  std::map<std::pair<std::string, LinkKind>, TimePoint> blocked_until_;
  std::uint64_t last_link_ = 0;
  std::uint64_t loss_per_mille_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace sida::sim
