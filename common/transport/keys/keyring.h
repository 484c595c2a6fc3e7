// The keys that hold now, shared by the threads of a process, and a count of what was refused for want of one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "common/base/result.h"
#include "common/transport/keys/key_files.h"

namespace sida::transport {

struct LinkRefusals {
  std::uint64_t unknown_keys = 0;  // Connections, and messages on connections that were made before a key was removed.
  std::uint64_t handshakes = 0;    // Connections that speak no CURVE, know not our key, or break the protocol.
  bool operator==(const LinkRefusals&) const = default;
};

// Any thread; only reread() blocks, on disk.
class Keyring {
 public:
  // nullptr where no file is named. Else the files must be good now; the error is read_link_keys()'s.
  static Result<std::shared_ptr<Keyring>> open(KeyPlaces places);
  // For tests: no files, and nothing changes.
  explicit Keyring(LinkKeys keys) : keys_(std::make_shared<const LinkKeys>(std::move(keys))) {}

  [[nodiscard]] std::shared_ptr<const LinkKeys> keys() const;
  // Counts the changes of keys(); cheap.
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void set(LinkKeys keys);

  // Reads the files when they have changed; true when new keys hold. On an error the old ones go on to hold, and the
  // same state of the files is not read again.
  Result<bool> reread();

  void count_unknown_key() { unknown_keys_.fetch_add(1, std::memory_order_relaxed); }
  void count_handshake() { handshakes_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] LinkRefusals refusals() const { return {unknown_keys_.load(), handshakes_.load()}; }

 private:
  KeyPlaces places_;
  std::string signature_;  // Of the thread that calls reread().
  mutable std::mutex mutex_;
  std::shared_ptr<const LinkKeys> keys_;  // Guarded by mutex_.
  std::atomic<std::uint64_t> version_{1};
  std::atomic<std::uint64_t> unknown_keys_{0};
  std::atomic<std::uint64_t> handshakes_{0};
};

}  // namespace sida::transport
