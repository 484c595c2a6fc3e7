#include "common/transport/zeromq/socket_keys.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace sida::transport::zeromq {
namespace {

// Between two attempts when none of the server's keys worked.
constexpr std::chrono::milliseconds kRetryFirst{100};
constexpr std::uint64_t kRetryDoublings = 4;
// What the library tells so soon after a change of keys may still be of the connection before, and is not counted.
constexpr std::chrono::milliseconds kSettling{50};

}  // namespace

Result<std::unique_ptr<ServerKeys>> ServerKeys::listen(Socket& socket, const std::string& address,
                                                       std::shared_ptr<Keyring> keyring) {
  auto monitor = socket.monitor();
  if (!monitor) return tl::unexpected(std::move(monitor).error());
  std::unique_ptr<ServerKeys> keys(new ServerKeys(std::move(keyring), *std::move(monitor)));
  keys->version_ = keys->keyring_->version();
  keys->keys_ = keys->keyring_->keys();
  SIDA_TRY(keys->bind(socket, address));
  keys->address_ = socket.bound_address();
  return keys;
}

Result<void> ServerKeys::bind(Socket& socket, const std::string& address) {
  SIDA_TRY(socket.encrypt_as_server(keys_->own.secret_key));
  SIDA_TRY(socket.bind(address));
  secret_key_ = keys_->own.secret_key;
  return {};
}

bool ServerKeys::follow(Socket& socket) {
  while (const auto event = monitor_.next()) {
    // Keys that are not known are counted where they are refused.
    if (*event == ConnectionEvent::kNoHandshake) keyring_->count_handshake();
  }
  take_new_keys();
  if (secret_key_ == keys_->own.secret_key && !std::exchange(key_gone_, false)) return false;
  // A listener keeps the key that it was made with, and takes its connections along; clients come again at once.
  if (!std::exchange(secret_key_, "").empty()) socket.unbind(address_);
  const auto bound = bind(socket, address_);
  if (bound) {
    failed_binds_ = 0;
    spdlog::info("listening with new keys endpoint={}", address_);
  } else if (std::has_single_bit(++failed_binds_) && failed_binds_ > 8) {  // The port is free after a moment.
    spdlog::error("not listening endpoint={} error=\"{}\"", address_, bound.error().message);
  }
  return true;
}

void ServerKeys::take_new_keys() {
  const std::uint64_t version = keyring_->version();
  if (version == version_) return;
  version_ = version;
  const auto before = std::exchange(keys_, keyring_->keys());
  key_gone_ |= !std::ranges::all_of(before->allowed, [&](const std::string& key) { return keys_->allows(key); });
}

bool ServerKeys::admits(const std::string& public_key) {
  take_new_keys();  // Here too: a socket that is never empty is not followed, and a key taken away counts at once.
  if (keys_->allows(public_key)) return true;
  keyring_->count_unknown_key();
  return false;
}

Result<std::unique_ptr<ClientKeys>> ClientKeys::connect(Socket& socket, std::string address, std::string server,
                                                        std::shared_ptr<Keyring> keyring) {
  auto monitor = socket.monitor();
  if (!monitor) return tl::unexpected(std::move(monitor).error());
  std::unique_ptr<ClientKeys> keys(new ClientKeys(std::move(keyring), *std::move(monitor)));
  keys->address_ = std::move(address);
  keys->server_ = std::move(server);
  keys->version_ = keys->keyring_->version();
  if (keys->keyring_->keys()->of(keys->server_).empty()) {
    return fail(ErrorCode::kInvalidArgument, "endpoint " + keys->address_ + ": no public key is known of '" +
                                                 keys->server_ + "'; put " + keys->server_ +
                                                 ".pub where --link-allow looks");
  }
  keys->reconnect(socket);
  return keys;
}

void ClientKeys::note_failure(const char* why) {
  if (encrypted_) return;
  if (!settled_) {
    early_failure_ = why;  // Looked at again when the connection should stand: not every failure is told twice.
    return;
  }
  // Once per attempt: the library tries the same key again by itself, and each time would put the next key off.
  if (retry_at_ != TimePoint::max()) return;
  ++failures_;
  // All keys are tried at the same pace, ever more slowly.
  const auto rounds = (failures_ - 1) / std::max<std::size_t>(1, keyring_->keys()->of(server_).size());
  retry_at_ = steady_now() + kRetryFirst * (1U << std::min(rounds, kRetryDoublings));
  // The first, and then ever more rarely: it is tried for ever.
  if (std::has_single_bit(failures_)) {
    spdlog::warn("link refused peer={} endpoint={} count={} why=\"{}\"", server_, address_, failures_, why);
  }
}

void ClientKeys::note(ConnectionEvent event) {
  switch (event) {
    case ConnectionEvent::kEncrypted:
      encrypted_ = true;
      failures_ = 0;
      retry_at_ = TimePoint::max();
      break;
    case ConnectionEvent::kNotLetIn:
      note_failure("it does not know our key; its --link-allow lacks our public key");
      break;
    case ConnectionEvent::kNoHandshake:
      note_failure("no handshake; does it run with keys, and is the public key that we know its own?");
      break;
    case ConnectionEvent::kDisconnected:
      if (settled_ && std::exchange(encrypted_, false)) ++interruptions_;
      break;
  }
}

bool ClientKeys::follow(Socket& socket) {
  while (const auto event = monitor_.next()) note(*event);
  // From here on, so that none of the events above was counted that may be of the last connection.
  if (!settled_ && steady_now() >= settled_at_) {
    settled_ = true;
    if (early_failure_ != nullptr) note_failure(std::exchange(early_failure_, nullptr));
  }
  bool due = retry_at_ != TimePoint::max() && retry_at_ <= steady_now();
  if (const std::uint64_t version = keyring_->version(); version != version_) {
    version_ = version;
    const auto keys = keyring_->keys();
    const std::vector<std::string> known = keys->of(server_);
    const bool holds = keys->own.secret_key == secret_key_ &&
                       (server_key_.empty() ? known.empty() : std::ranges::find(known, server_key_) != known.end());
    due |= !holds || failures_ > 0;
  }
  if (due) reconnect(socket);
  return due;
}

// With the server's next key where the last one failed, so that of several each gets its turn.
void ClientKeys::reconnect(Socket& socket) {
  const auto keys = keyring_->keys();
  const std::vector<std::string> known = keys->of(server_);
  if (!server_key_.empty()) {
    socket.disconnect(address_);
    ++interruptions_;
  }
  encrypted_ = false;
  settled_ = false;
  early_failure_ = nullptr;
  settled_at_ = steady_now() + kSettling;
  retry_at_ = TimePoint::max();
  secret_key_ = keys->own.secret_key;
  auto use = std::ranges::find(known, server_key_);
  if (use != known.end() && failures_ > 0) ++use;
  if (use == known.end()) use = known.begin();
  server_key_ = known.empty() ? "" : *use;
  if (server_key_.empty()) {
    spdlog::error("link cut peer={} endpoint={} why=\"its public key was taken away\"", server_, address_);
    return;
  }
  auto connected = socket.encrypt_as_client(keys->own, server_key_);
  if (connected) connected = socket.connect(address_);
  if (!connected) spdlog::error("link cut peer={} error=\"{}\"", server_, connected.error().message);
}

}  // namespace sida::transport::zeromq
