// A file descriptor that closes itself.
#pragma once

namespace sida::transport {

class Descriptor {
 public:
  Descriptor() = default;
  // Takes it over; negative: none.
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  [[nodiscard]] int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  void reset();
  // The caller closes it from now on.
  int release();

 private:
  int number_ = -1;
};

}  // namespace sida::transport
