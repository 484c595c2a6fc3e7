#include "cli/cluster_options.h"

namespace sida::cli {
namespace {

void describe_routing(config::Schema& schema, ClusterOptions& o) {
  schema.choice("routing", o.routing, {"exact", "gated", "predicted"},
                "who chooses experts: the gate, the hash table where it is sure, the hash table");
  schema.integer("predicted-top-k", o.predicted_top_k, {1, 3}, "experts per token that the hash table chooses");
  schema.choice(
      "predicted-weights", o.predicted_weights, {"published", "renormalised", "gate"},
      "what scales their answers: confidences times 0.5, 0.25, 0.25; confidences; or the gate's probabilities");
  schema.number("gated-confidence", o.gated_confidence, 0, 1, "confidence from which the table decides in gated mode");
  schema.duration("table-wait", o.table_wait, "a step waits for its hash-table entries; then the gate decides")
      .zero_means("no wait");
  schema.number("agreement-share", o.agreement_share, 0, 1,
                "share of the rows decided by the table for which the gate is asked too, to measure their agreement");
}

}  // namespace

std::vector<std::string> routing_arguments(const ClusterOptions& o) {
  return {"--routing",           o.routing,
          "--predicted-top-k",   std::to_string(o.predicted_top_k),
          "--predicted-weights", o.predicted_weights,
          "--gated-confidence",  std::to_string(o.gated_confidence),
          "--table-wait",        std::to_string(o.table_wait.count()) + "ms",
          "--agreement-share",   std::to_string(o.agreement_share)};
}

void describe_cluster(config::Schema& schema, ClusterOptions& o, bool model_required, bool with_predictor) {
  auto& model = schema.text("model", o.model, "model directory, as Hugging Face writes it").placeholder("DIR");
  if (model_required) {
    model.required();
  }
  schema.integer("workers", o.workers, {1, 64}, "expert-worker processes");
  schema.text("host", o.host, "address that the API binds").placeholder("ADDRESS");
  schema.integer("port", o.port, {0, 65535}, "port of the API").zero_means("any free port");
  schema.integer("admin-port", o.admin_port, {0, 65535}, "port of dashboard, status and metrics, on loopback")
      .zero_means("any free port");
  schema
      .size("expert-memory", o.expert_memory_bytes,
            "cap on the bytes of experts of all workers together, what reading takes included; each has the same part")
      .zero_means("all that fits");
  schema.choice("eviction", o.eviction, {"table", "lru", "lru-layer", "fifo"},
                "which expert makes room for another in a worker");
  schema.choice("prefetch", o.prefetch, {"auto", "on", "off"},
                "workers read ahead what the hash table names; auto: while it pays");
  describe_routing(schema, o);
  if (with_predictor) {
    schema
        .text("predictor", o.predictor,
              "predictor directory; none: no prediction; auto: the model directory's predictor/, if there is one")
        .placeholder("DIR|none");
  }
  schema.integer("predictors", o.predictors, {1, 16}, "predictor processes, which share the sequences");
  schema.choice("dtype", o.dtype, {"auto", "fp32", "bf16"}, "computing type; auto: the checkpoint's, fp16 as fp32");
  schema.text("served-model-name", o.served_model_name, "name in the API; default: the model directory's")
      .placeholder("NAME");
  schema.choice("device", o.device, {"auto", "cpu", "cuda"}, "where experts are computed");
  schema.text("expert-capacity", o.expert_capacity, "tokens of one sequence per expert: model, none or a number")
      .placeholder("model|none|N");
  schema.choice("cpu-kernel", o.cpu_kernel, {"auto", "avx512bf16", "avx512", "avx2", "scalar"},
                "instruction set; all give the same bits");
  schema.choice("tensor-channel", o.tensor_channel, {"auto", "zeromq"},
                "how rows go between router and workers; auto: through shared memory");
  schema.integer("threads", o.threads, {0, 1024}, "compute threads of the router").zero_means("half of the cores");
  schema.integer("worker-threads", o.worker_threads, {0, 1024}, "compute threads of each worker")
      .zero_means("half of the cores, shared by the workers");
  schema.duration(
      "shutdown-grace", o.shutdown_grace,
      "for open requests to be answered after SIGTERM or SIGINT; new ones get 503; a second signal ends it");
  schema.choice("log-level", o.log_level, {"trace", "debug", "info", "warn", "error", "off"},
                "least level that is logged");
  schema.choice("log-format", o.log_format, {"text", "json"}, "of the processes' logs");
  schema.rule([&o](std::vector<std::string>& problems) {
    if (o.device == "cuda") {
      problems.emplace_back("--device cuda is not supported by this build: use auto or cpu");
    }
    if (o.port != 0 && o.port == o.admin_port) {
      problems.emplace_back("--port and --admin-port must differ");
    }
  });
}

}  // namespace sida::cli
