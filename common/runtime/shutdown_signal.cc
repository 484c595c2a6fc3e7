#include "common/runtime/shutdown_signal.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "common/base/result.h"
#include "common/runtime/waiter.h"

namespace sida {
namespace {

sigset_t shutdown_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

std::string name_of(std::uint32_t signal) {
  return signal == SIGINT ? "SIGINT" : "SIGTERM";
}

}  // namespace

void block_shutdown_signals() {
  const sigset_t signals = shutdown_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

std::string wait_for_shutdown_signal() {
  const sigset_t signals = shutdown_signals();
  int received = 0;
  while (sigwait(&signals, &received) != 0) {
  }
  return name_of(static_cast<std::uint32_t>(received));
}

std::optional<std::string> poll_shutdown_signal() {
  const sigset_t signals = shutdown_signals();
  constexpr timespec kNow{};
  const int received = sigtimedwait(&signals, nullptr, &kNow);
  return received > 0 ? std::optional(name_of(static_cast<std::uint32_t>(received))) : std::nullopt;
}

std::optional<std::string> wait_for_shutdown_signal(int descriptor, TimePoint until) {
  const sigset_t signals = shutdown_signals();
  const int arrivals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  SIDA_CHECK(arrivals >= 0);
  std::optional<std::string> received;
  while (!received && !is_readable(descriptor) && steady_now() < until) {
    wait_readable(std::array{arrivals, descriptor}, until);
    signalfd_siginfo signal{};
    if (read(arrivals, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
      received = name_of(signal.ssi_signo);
    }
  }
  close(arrivals);
  return received;
}

}  // namespace sida
