// `sida status`: processes, residency and rates of a running cluster.
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>

#include "cli/error_line.h"
#include "cli/generate_output.h"
#include "cli/http_client.h"
#include "cli/status_output.h"
#include "cli/status_screen.h"
#include "cli/verbs.h"
#include "common/config/configure.h"
#include "common/runtime/clock.h"
#include "common/runtime/shutdown_signal.h"

namespace sida::cli {
namespace {

struct StatusOptions {
  std::string url = "http://127.0.0.1:8001";
  bool watch = false;
  bool json = false;
  std::chrono::milliseconds interval{2000};
};

Result<nlohmann::json> ask(const Url& url, std::chrono::milliseconds patience) {
  auto status = http_ask(url, "/status", {}, patience);
  if (status && !status->is_object()) {
    return fail(ErrorCode::kInternal, "this is no admin port of sida: give the port of --admin-port");
  }
  return status;
}

// Shows one status after the other, on a screen of its own where there is a terminal. Whatever the way out, the
// destructor gives the terminal back as it was.
class Watch {
 public:
  explicit Watch(const StatusOptions& options)
      : json_(options.json), terminal_(!options.json && ::isatty(STDOUT_FILENO) != 0) {
    if (terminal_) std::fputs(kEnterScreen, stdout);
  }
  ~Watch() {
    if (terminal_) std::fputs(kLeaveScreen, stdout);
    std::fflush(stdout);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // False when nobody reads any more.
  bool show(const Result<nlohmann::json>& status) {
    const TimePoint now = steady_now();
    const nlohmann::json& shown = status ? *status : last_;
    const std::string line = status_line(shown, last_, now - last_at_);
    if (terminal_) {
      const std::string trouble = status ? "" : "\nasking again: " + error_line(status.error()) + "\n";
      const std::string body = shown.is_object() ? status_text(shown) : "";
      std::fputs(screen_of(line + "\n" + trouble + "\n" + body + "\nCtrl-C ends this.", screen_size()).c_str(), stdout);
    } else if (!status) {
      std::fprintf(stderr, "%s\n", error_line(status.error()).c_str());
    } else {
      std::printf("%s\n", json_ ? status->dump().c_str() : line.c_str());
    }
    if (status) {
      last_ = *status;
      last_at_ = now;
    }
    return std::fflush(stdout) == 0;
  }

 private:
  static ScreenSize screen_size() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
    return {size.ws_row, size.ws_col};
  }

  bool json_;
  bool terminal_;
  nlohmann::json last_;
  TimePoint last_at_{};
};

// SIGINT or SIGTERM, which are blocked, within `time`.
bool interrupted_within(std::chrono::milliseconds time) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  const timespec wait{time.count() / 1000, time.count() % 1000 * 1'000'000};
  return ::sigtimedwait(&signals, nullptr, &wait) > 0;
}

// Until SIGINT, SIGTERM or the end of whoever reads. A router that is away is asked again.
Result<void> watch(const Url& url, const StatusOptions& options) {
  constexpr std::chrono::seconds kPatience{1};  // So long may Ctrl-C have to wait.
  block_shutdown_signals();
  auto first = ask(url, kPatience);
  if (!first) {
    return tl::unexpected<Error>(std::move(first).error());
  }
  Watch watching(options);
  bool read = watching.show(first);
  while (read && !interrupted_within(options.interval)) {
    read = watching.show(ask(url, kPatience));
  }
  return {};
}

Result<void> run(const StatusOptions& options) {
  auto url = parse_url(options.url);
  if (!url) {
    return tl::unexpected<Error>(std::move(url).error());
  }
  if (options.watch) {
    return watch(*url, options);
  }
  constexpr std::chrono::seconds kPatience{5};
  auto status = ask(*url, kPatience);
  if (!status) {
    return tl::unexpected<Error>(std::move(status).error());
  }
  std::printf("%s", options.json ? (print_json(*status) + "\n").c_str() : status_text(*status).c_str());
  return {};
}

}  // namespace

int status(const Arguments& arguments) {
  StatusOptions options;
  config::Schema schema("sida status", "Shows processes, resident experts and rates of a running cluster.");
  schema.text("url", options.url, "admin port of a router").placeholder("URL");
  schema.toggle("watch", options.watch,
                "show again and again, until Ctrl-C; a line each time where there is no terminal");
  schema.duration("interval", options.interval, "between two looks of --watch");
  schema.toggle("json", options.json, "print one JSON object");
  schema.example("sida status --watch");
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  const auto done = run(options);
  return done ? 0 : report(done.error());
}

}  // namespace sida::cli
