// The status of a small cluster, for tests of what is made of it.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "router/core/request.h"

namespace sida::router {

inline RouterStatus example_status() {
  RouterStatus status;
  status.ready = true;
  status.processes = {{"worker-0", "expert-worker", 12, "ipc:///x", "ready", ""}};
  status.workers = {{"worker-0", 8, 1000, 2000, 50, 30, 10, "avx2"}};
  status.agreement = {{.layer = 0, .routed = 200, .predicted = 150, .compared = 100, .agreed = 90, .late = 4},
                      {.layer = 1, .routed = 200, .predicted = 150, .compared = 100, .agreed = 70}};
  status.agreement[0].lead.add(std::chrono::milliseconds(3));
  status.model = {.encoder_moe_layers = 1, .moe_layers = 2, .experts_per_layer = 4};
  status.lookups = {{LayerId{0}, {.hits = 30, .misses = 10}}};
  ExpertRows rows(2, 4);
  rows.add(LayerId{0}, std::vector<std::int32_t>{1, 2, 1, -1});
  status.expert_rows = std::make_shared<const ExpertRows>(rows);
  WorkerStatus& worker = status.workers.front();
  worker.channel = "shared-memory";
  worker.expert_slots = 6;
  worker.expert_bytes = 100;
  worker.experts_resident = 3;
  worker.resident = std::make_shared<const std::vector<ExpertKey>>(
      std::vector<ExpertKey>{{LayerId{0}, ExpertId{1}}, {LayerId{0}, ExpertId{2}}, {LayerId{1}, ExpertId{0}}});
  status.times.first_token.add(std::chrono::milliseconds(4));
  status.predictors = {
      {"predictor-0", "learned", {.sequences = 2, .sources = 4, .source_micros = 800, .cpu_micros = 500}},
      {"predictor-1", "learned", {}}};
  status.predictors[0].report.uptime_micros = 2000;
  status.resends_lost = 3;
  status.encoder_steps = 2;
  status.encoder_sources = 8;
  status.encoder_experts = 20;
  status.generation_tokens = 42;
  return status;
}

}  // namespace sida::router
