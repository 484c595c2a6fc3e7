// How a handler learns that its client hung up while it waits for the engine.
#pragma once

#include <functional>
#include <utility>

namespace sida::router {

// Used on the HTTP thread only.
class ClientWatch {
 public:
  // `action` runs at once when the client is gone already, else at most once, when it goes.
  void on_gone(std::function<void()> action) {
    action_ = std::move(action);
    if (gone_ && action_) {
      action_();
    }
  }
  void gone() {
    gone_ = true;
    if (action_) {
      std::exchange(action_, nullptr)();
    }
  }
  [[nodiscard]] bool is_gone() const { return gone_; }

 private:
  std::function<void()> action_;
  bool gone_ = false;
};

}  // namespace sida::router
