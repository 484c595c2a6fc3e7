// A bounded queue from any thread into one agent, with a descriptor to wait on.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "common/runtime/wake_event.h"

namespace sida {

// Posting: any thread. take(): the owning agent's thread only. The mailbox outlives its posters.
template <typename T>
class Mailbox {
 public:
  explicit Mailbox(std::size_t capacity) : capacity_(capacity) {}

  // False when full or closed: the caller answers for the item, which is gone.
  [[nodiscard]] bool post(T item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(item));
    }
    event_.signal();
    return true;
  }

  std::optional<T> take() {
    std::lock_guard lock(mutex_);
    if (items_.empty()) {
      event_.clear();
      return std::nullopt;
    }
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

  // Nothing can be posted any more; what is there can still be taken.
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  [[nodiscard]] bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }

  // Readable while items wait.
  [[nodiscard]] int wake_descriptor() const { return event_.descriptor(); }

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<T> items_;
  bool closed_ = false;
  WakeEvent event_;
};

}  // namespace sida
