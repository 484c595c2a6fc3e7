// An eventfd: signalled from any thread, waited on with poll(2).
#pragma once

namespace sida {

class WakeEvent {
 public:
  WakeEvent();  // SIDA_CHECKs that the descriptor could be made.
  ~WakeEvent();
  WakeEvent(const WakeEvent&) = delete;
  WakeEvent& operator=(const WakeEvent&) = delete;

  void signal();
  void clear();
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace sida
