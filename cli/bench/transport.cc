// `sida bench transport`: round trips of rows over every kind of tensor channel.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "cli/bench/aligned_memory.h"
#include "cli/bench/bench_verbs.h"
#include "cli/bench/echo_channel.h"
#include "cli/bench/json_file.h"
#include "cli/bench/stopwatch.h"
#include "cli/bench/transport_report.h"
#include "cli/run_directory.h"
#include "common/config/configure.h"

namespace sida::bench {
namespace {

constexpr std::int64_t kRowBytes = 768 * 2;      // Of Switch-base in bf16.
constexpr std::int64_t kRowsMax = 131072;        // 192 MiB: below what a channel takes (transport::Limits).
constexpr std::size_t kEnvelopeBytes = 128;      // About what a Dispatch takes.
constexpr std::size_t kCopyBytes = 256U << 20U;  // Far beyond any cache.

struct TransportOptions {
  std::vector<std::int32_t> rows{1, 8, 64, 512};
  std::int64_t rounds = 7;
  std::int64_t trips = 200;
  std::string json_file;
};

config::Schema describe(TransportOptions& o) {
  config::Schema schema(
      "sida bench transport",
      "Times messages that carry rows (768 x bf16) there and back, over every kind of tensor channel\n"
      "between two threads of this process, in turn, beside copying memory. Wall time: run it on an\n"
      "idle machine.");
  schema.integers("rows", o.rows, "of each message");
  schema.integer("rounds", o.rounds, {1, 1000}, "in which the channels take turns");
  schema.integer("trips", o.trips, {1, 1000000}, "there and back, per channel, size and round");
  schema.text("json", o.json_file, "write everything as JSON").placeholder("FILE");
  schema.rule([&o](std::vector<std::string>& problems) {
    for (const std::int32_t rows : o.rows) {
      if (rows < 1 || rows > kRowsMax) problems.push_back("rows must be from 1 to " + std::to_string(kRowsMax) + ".");
    }
    if (o.rows.empty()) problems.push_back("rows must name at least one number.");
  });
  schema.example("sida bench transport --json build/transport.json");
  return schema;
}

struct Channel {
  std::string name;
  std::unique_ptr<transport::Transport> transport;
  std::unique_ptr<EchoChannel> echo;
};

Result<std::vector<Channel>> open_channels(const std::filesystem::path& folder) {
  std::vector<Channel> channels;
  channels.push_back({"in-process", transport::make_in_process_transport({}), nullptr});
  channels.push_back({"ipc", transport::make_zeromq_transport({}), nullptr});
  channels.push_back({"tcp", transport::make_zeromq_transport({}), nullptr});
  channels.push_back({"shared memory", transport::make_host_transport({}), nullptr});
  const std::string endpoints[] = {"inproc://echo", "ipc://" + (folder / "echo.sock").string(), "tcp://127.0.0.1:*",
                                   "shm://" + (folder / "rows.sock").string()};
  for (std::size_t index = 0; index < channels.size(); ++index) {
    auto echo = EchoChannel::open(*channels[index].transport, endpoints[index]);
    if (!echo) return tl::unexpected(std::move(echo).error());
    channels[index].echo = std::move(*echo);
  }
  return channels;
}

// One byte copied counts once.
double copy_rate(AlignedMemory& to, const AlignedMemory& from) {
  const Stopwatch watch(Time::kWall);
  std::memcpy(to.data(), from.data(), to.size());
  return static_cast<double>(to.size()) / watch.seconds();
}

// A message with fresh rows each time, as trunk and worker make them.
transport::TensorMessage message(std::int64_t rows) {
  return {transport::Frame::take(std::vector<std::byte>(kEnvelopeBytes)),
          transport::Frame::take(std::vector<std::byte>(static_cast<std::size_t>(rows * kRowBytes)))};
}

Result<void> time_trips(EchoChannel& echo, std::int64_t trips, RoundTrips& into) {
  for (std::int64_t trip = 0; trip < trips; ++trip) {
    auto sent = message(into.rows);
    const Stopwatch watch(Time::kWall);
    const auto answer = echo.round_trip(std::move(sent));
    if (!answer) return tl::unexpected(answer.error());
    into.seconds.push_back(watch.seconds());
    if (answer->rows.size() != static_cast<std::size_t>(into.payload_bytes)) {
      return fail(ErrorCode::kInternal, into.channel + ": an echo of another size came back");
    }
  }
  return {};
}

Result<TransportRun> measure(const TransportOptions& o, std::vector<Channel>& channels) {
  TransportRun run;
  for (const std::int32_t rows : o.rows) {
    for (const Channel& channel : channels) run.round_trips.push_back({channel.name, rows, rows * kRowBytes, {}});
  }
  AlignedMemory from(kCopyBytes);
  AlignedMemory to(kCopyBytes);
  std::memset(from.data(), 1, from.size());
  std::memset(to.data(), 1, to.size());
  std::vector<double> wakes;
  for (std::int64_t round = 0; round < o.rounds; ++round) {
    std::fprintf(stderr, "round %lld of %lld\n", static_cast<long long>(round + 1), static_cast<long long>(o.rounds));
    run.copy_bytes_per_second = std::max(run.copy_bytes_per_second, copy_rate(to, from));
    wakes.push_back(wake_round_trip(static_cast<int>(o.trips)));
    for (std::size_t index = 0; index < run.round_trips.size(); ++index) {
      SIDA_TRY(time_trips(*channels[index % channels.size()].echo, o.trips, run.round_trips[index]));
    }
  }
  std::sort(wakes.begin(), wakes.end());
  run.wake_seconds = wakes[wakes.size() / 2];
  return run;
}

Result<void> report(const TransportOptions& o) {
  const auto folder = cli::RunDirectory::make();
  if (!folder) return tl::unexpected(folder.error());
  auto channels = open_channels(folder->path());
  if (!channels) return tl::unexpected(std::move(channels).error());
  const auto run = measure(o, *channels);
  if (!run) return tl::unexpected(run.error());
  const nlohmann::json json = transport_json(*run);
  SIDA_TRY(write_json_file(o.json_file, json));
  std::fputs(transport_markdown(json).c_str(), stdout);
  return {};
}

}  // namespace

int transport(const Arguments& arguments) {
  TransportOptions options;
  config::Schema schema = describe(options);
  if (const auto exit_code = config::configure(schema, arguments)) return *exit_code;
  return exit_code_of(report(options));
}

}  // namespace sida::bench
