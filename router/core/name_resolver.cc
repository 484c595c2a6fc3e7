#include "router/core/name_resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "common/runtime/latest.h"

namespace sida::router {
namespace {

std::string text_of(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(), text.size());
    return text.data();
  }
  inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text.data(), text.size());
  return "[" + std::string(text.data()) + "]";
}

// Nothing when the system could not be asked: then nothing is known. A name that stands for nothing has no addresses.
std::optional<Resolution> resolve(const std::string& name, std::string& why) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (failed == EAI_NONAME || failed == EAI_NODATA) return Resolution{name, {}};
  if (failed != 0) {
    why = gai_strerror(failed);
    return std::nullopt;
  }
  Resolution resolution{name, {}};
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
    resolution.addresses.push_back(text_of(*each->ai_addr));
  }
  freeaddrinfo(found);
  return resolution;
}

}  // namespace

// Outlives the resolver while a question is on its way.
struct NameResolver::Shared {
  Latest<std::vector<Resolution>> answers;
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;  // Guarded by mutex.
};

NameResolver::NameResolver(std::vector<std::string> names, std::chrono::milliseconds every)
    : shared_(std::make_shared<Shared>()) {
  if (names.empty()) return;
  std::thread([shared = shared_, names = std::move(names), every] {
    bool failing = false;
    for (;;) {
      std::vector<Resolution> answers;
      std::string why;
      for (const std::string& name : names) {
        if (auto answer = resolve(name, why)) answers.push_back(*std::move(answer));
      }
      if (std::exchange(failing, answers.size() < names.size()) != failing && failing) {
        spdlog::warn("names not resolved, known peers stay error=\"{}\"", why);
      }
      std::unique_lock lock(shared->mutex);
      if (shared->over) return;
      shared->answers.set(std::move(answers));
      if (shared->changed.wait_for(lock, every, [&] { return shared->over; })) return;
    }
  }).detach();
}

NameResolver::~NameResolver() {
  const std::lock_guard lock(shared_->mutex);
  shared_->over = true;
  shared_->changed.notify_all();
}

std::vector<Resolution> NameResolver::take() {
  return shared_->answers.take().value_or(std::vector<Resolution>());
}

int NameResolver::wake_descriptor() const {
  return shared_->answers.wake_descriptor();
}

}  // namespace sida::router
