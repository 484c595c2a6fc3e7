// `sida status`: processes, residency and rates of a running cluster.
#include <cstdio>
#include <ctime>

#include "cli/generate_output.h"
#include "cli/http_client.h"
#include "cli/status_output.h"
#include "cli/verbs.h"
#include "common/config/configure.h"

namespace sida::cli {
namespace {

struct StatusOptions {
  std::string url = "http://127.0.0.1:8001";
  bool watch = false;
  bool json = false;
  std::chrono::milliseconds interval{2000};
};

Result<void> show(const Url& url, const StatusOptions& options) {
  constexpr std::chrono::seconds kPatience{5};
  auto status = http_ask(url, "/status", {}, kPatience);
  if (!status) {
    return tl::unexpected<Error>(std::move(status).error());
  }
  if (!status->is_object()) {
    return fail(ErrorCode::kInternal, "this is no admin port of sida: give the port of --admin-port");
  }
  const char* clear = options.watch && !options.json ? "\033[H\033[2J" : "";
  std::printf("%s%s", clear, options.json ? (print_json(*status) + "\n").c_str() : status_text(*status).c_str());
  std::fflush(stdout);
  return {};
}

Result<void> run(const StatusOptions& options) {
  auto url = parse_url(options.url);
  if (!url) {
    return tl::unexpected<Error>(std::move(url).error());
  }
  SIDA_TRY(show(*url, options));
  const auto milliseconds = options.interval.count();
  const timespec interval{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (options.watch) {
    ::nanosleep(&interval, nullptr);
    SIDA_TRY(show(*url, options));
  }
  return {};
}

}  // namespace

int status(const Arguments& arguments) {
  StatusOptions options;
  config::Schema schema("sida status", "Shows processes, resident experts and rates of a running cluster.");
  schema.text("url", options.url, "admin port of a router").placeholder("URL");
  schema.toggle("watch", options.watch, "show again and again, until Ctrl-C");
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
