#include "common/transport/unixsocket/descriptor.h"

#include <unistd.h>

#include <utility>

namespace sida::transport {

Descriptor::Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    number_ = other.release();
  }
  return *this;
}

void Descriptor::reset() {
  if (number_ >= 0) close(release());
}

int Descriptor::release() {
  return std::exchange(number_, -1);
}

}  // namespace sida::transport
