// Sends the requests of a load and notes what becomes of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/http_client.h"
#include "cli/load/request_record.h"

namespace sida::load {

struct LoadPlan {
  cli::Url url;
  std::vector<nlohmann::json> bodies;  // Taken in turn; sent as streams that tell their usage. Not empty.
  std::vector<Seconds> intended;       // Open loop: one request at each. Empty: closed loop.
  std::size_t requests = 0;     // Closed loop: how many; each of `concurrency` clients sends when it has its answer.
  std::size_t concurrency = 0;  // Under way at most; 0: no limit (open loop only).
  std::chrono::milliseconds timeout{600'000};  // Of one request, from when it was sent.
};

// One record per request, in order of sending. Blocks until all have ended. One thread does it all; a connection per
// request. Failures are in the records.
std::vector<RequestRecord> run_load(const LoadPlan& plan);

}  // namespace sida::load
