#include "common/transport/keys/keyring.h"

#include <utility>

namespace sida::transport {

Result<std::shared_ptr<Keyring>> Keyring::open(KeyPlaces places) {
  if (places.secret_key_file.empty()) return std::shared_ptr<Keyring>();
  std::string signature = signature_of(places);
  auto keys = read_link_keys(places);
  if (!keys) return tl::unexpected(std::move(keys).error());
  auto keyring = std::make_shared<Keyring>(*std::move(keys));
  keyring->places_ = std::move(places);
  keyring->signature_ = std::move(signature);
  return keyring;
}

std::shared_ptr<const LinkKeys> Keyring::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

void Keyring::set(LinkKeys keys) {
  const std::lock_guard lock(mutex_);
  keys_ = std::make_shared<const LinkKeys>(std::move(keys));
  version_.fetch_add(1, std::memory_order_release);
}

Result<bool> Keyring::reread() {
  if (places_.secret_key_file.empty()) return false;
  // Taken before reading: what changes meanwhile is read the next time.
  std::string signature = signature_of(places_);
  if (signature == signature_) return false;
  signature_ = std::move(signature);
  auto keys = read_link_keys(places_);
  if (!keys) return tl::unexpected(std::move(keys).error());
  set(*std::move(keys));
  return true;
}

}  // namespace sida::transport
