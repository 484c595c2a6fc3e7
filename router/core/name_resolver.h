// Asks the system again and again what host names stand for, on a thread of its own, since that may block for long.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "router/core/peer_directory.h"

namespace sida::router {

class NameResolver {
 public:
  // Asks for all names at once, and then `every` so often. No names: no thread.
  NameResolver(std::vector<std::string> names, std::chrono::milliseconds every);
  // Does not wait for an answer that is on its way.
  ~NameResolver();
  NameResolver(const NameResolver&) = delete;
  NameResolver& operator=(const NameResolver&) = delete;

  // The newest answers, once each; a name that could not be asked for is missing. One thread.
  std::vector<Resolution> take();
  // Readable while there are some.
  [[nodiscard]] int wake_descriptor() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace sida::router
