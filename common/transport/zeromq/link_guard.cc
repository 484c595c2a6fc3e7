#include "common/transport/zeromq/link_guard.h"

#include <spdlog/spdlog.h>

#include <array>
#include <span>
#include <vector>

namespace sida::transport::zeromq {
namespace {

constexpr const char* kZapAddress = "inproc://zeromq.zap.01";
constexpr std::size_t kQuestionParts = 7;  // Version, id, domain, address, routing id, mechanism, the client's key.
constexpr std::chrono::milliseconds kReread{1000};
constexpr std::chrono::seconds kBetweenLines{1};  // Strangers fill no disk.

}  // namespace

LinkGuard::LinkGuard(zmq::context_t& context, std::shared_ptr<Keyring> keyring)
    : keyring_(std::move(keyring)), questions_(context, zmq::socket_type::rep) {
  questions_.set(zmq::sockopt::linger, 0);
  questions_.bind(kZapAddress);
  thread_ = std::thread([this] { run(); });
}

LinkGuard::~LinkGuard() {
  stop_.signal();
  thread_.join();
}

void LinkGuard::run() {
  const int stop = stop_.descriptor();
  for (;;) {
    std::array<zmq_pollitem_t, 2> items{{{questions_.handle(), 0, ZMQ_POLLIN, 0}, {nullptr, stop, ZMQ_POLLIN, 0}}};
    const int ready = zmq_poll(items.data(), static_cast<int>(items.size()), static_cast<long>(kReread.count()));
    if (ready > 0 && items[1].revents != 0) return;
    answer_all();
    reread();
  }
}

void LinkGuard::answer_all() {
  while (answer_one()) {
  }
}

// Default deny: whoever is not known, and whatever is not understood.
bool LinkGuard::answer_one() {
  std::vector<std::string> parts;
  bool more = true;
  while (more) {
    zmq::message_t message;
    if (zmq_msg_recv(message.handle(), questions_.handle(), ZMQ_DONTWAIT) < 0) return false;
    more = message.more();
    if (parts.size() < kQuestionParts) parts.push_back(message.to_string());
  }
  parts.resize(kQuestionParts);
  std::string key;
  if (parts[5] == "CURVE" && parts[6].size() == kLinkKeyBytes) key = link_key_text(std::as_bytes(std::span(parts[6])));
  const bool allowed = keyring_->keys()->allows(key);
  if (!allowed) refuse(parts[3], key);
  const std::array<std::string, 6> answer{
      "1.0", parts[1], allowed ? "200" : "400", allowed ? "OK" : "unknown key", allowed ? key : "", ""};
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const int flags = i + 1 < answer.size() ? ZMQ_SNDMORE | ZMQ_DONTWAIT : ZMQ_DONTWAIT;
    zmq_send(questions_.handle(), answer[i].data(), answer[i].size(), flags);
  }
  return true;
}

void LinkGuard::refuse(const std::string& address, const std::string& key) {
  keyring_->count_unknown_key();
  ++refused_;
  if (steady_now() < next_line_) return;
  next_line_ = steady_now() + kBetweenLines;
  spdlog::warn("connection refused from={} key=\"{}\" count={} why=\"the key is not in --link-allow\"", address, key,
               refused_);
  refused_ = 0;
}

void LinkGuard::reread() {
  const auto changed = keyring_->reread();
  if (!changed) {
    spdlog::error("keys not read anew, the old ones hold error=\"{}\"", changed.error().message);
  } else if (*changed) {
    spdlog::info("keys read anew allowed={}", keyring_->keys()->allowed.size());
  }
}

}  // namespace sida::transport::zeromq
