// The newest value from any thread for one agent: older ones that were not taken are replaced, so nothing piles up.
#pragma once

#include <mutex>
#include <optional>
#include <utility>

#include "common/runtime/wake_event.h"

namespace sida {

// set(): any thread. take(): the owning agent's thread only.
template <typename T>
class Latest {
 public:
  void set(T value) {
    {
      std::lock_guard lock(mutex_);
      value_.emplace(std::move(value));
    }
    event_.signal();
  }

  std::optional<T> take() {
    std::lock_guard lock(mutex_);
    event_.clear();
    return std::exchange(value_, std::nullopt);
  }

  // Readable while a value waits.
  [[nodiscard]] int wake_descriptor() const { return event_.descriptor(); }

 private:
  std::mutex mutex_;
  std::optional<T> value_;
  WakeEvent event_;
};

}  // namespace sida
