"""How early the hash table's entries are there, per MoE layer, idle and at peak load.

    python3 tests/bench/lead_time.py --model models/demo
    python3 tests/bench/lead_time.py --model DIR --predictor random --source-tokens 32

Starts a cluster, asks one request at a time, then as many at a time as told, and prints what the router counted of each
phase and layer: the share of tokens whose entry was late, the share of requests (in the decoder: of tokens) none of whose
entries was late, and the lead time that 99 of 100 of these exceed, and the median, as ends of a histogram's buckets (powers
of two). What is late without a table in time is not waited for: a layer that is needed sooner than a message can come and
go has no table, whatever the predictor. `--predictor random` is a token-id table of random entries: its cost is none, so
what is measured is the way of the messages.
"""

import argparse
import concurrent.futures
import json
import pathlib
import random
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import Cluster  # noqa: E402
from token_table import write_table  # noqa: E402


def counters(cluster):
    """{(metric, layer, le): value} of everything about the table."""
    found = {}
    for line in cluster.admin("/metrics")[1].splitlines():
        match = re.fullmatch(r"(sida_table_\w+|sida_gate_\w+)\{(.*)\} (\S+)", line)
        if match:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2]))
            found[match[1], int(labels["layer"]), labels.get("le")] = float(match[3])
    return found


def quantile(after, before, layer, share):
    name = "sida_table_lead_seconds_bucket"
    ends = sorted((float(le), le) for (metric, at, le) in after if metric == name and at == layer)
    count = {le: after[name, layer, le] - before.get((name, layer, le), 0) for _, le in ends}
    total = count[ends[-1][1]]
    for end, le in ends:
        if total and count[le] >= share * total:
            return f"{end * 1e3:.3g}"
    return "-"


def in_time(cluster, after, before, layer, requests, tokens):
    """In percent. A lead time is counted where no entry of a sequence in a step was late."""
    name = "sida_table_lead_seconds_count"
    return 100 * (after[name, layer, None] - before.get((name, layer, None), 0)) / max(1, requests * tokens)


def phase(cluster, prompts, at_a_time, tokens, routing):
    before = counters(cluster)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        list(pool.map(lambda prompt: cluster.complete(prompt, max_tokens=tokens, min_tokens=tokens, routing=routing), prompts))
    took = time.monotonic() - began
    finished = cluster.metric("sida_sequences_total", outcome="finished")
    cluster.wait_until(lambda: cluster.metric("sida_sequences_total", outcome="finished") >= finished, "counted")
    time.sleep(0.3)  # The status is published ten times a second.
    after = counters(cluster)
    grown = lambda name, layer: after.get((name, layer, None), 0) - before.get((name, layer, None), 0)
    rows = []
    for layer in sorted({layer for (_, layer, _) in after}):
        late, predicted = grown("sida_table_late_total", layer), grown("sida_gate_predicted_total", layer)
        is_encoder = layer < cluster.encoder_layers
        rows.append({"layer": layer, "stack": "encoder" if is_encoder else "decoder",
                     "late_percent": 100 * late / max(1, late + predicted),
                     "in_time_percent": in_time(cluster, after, before, layer, len(prompts), 1 if is_encoder else tokens),
                     "lead_ms_p1": quantile(after, before, layer, 0.01), "lead_ms_p50": quantile(after, before, layer, 0.5),
                     "agreement": grown("sida_gate_agreed_total", layer) / max(1, grown("sida_gate_compared_total", layer))})
    return {"at_a_time": at_a_time, "requests": len(prompts), "seconds": round(took, 2), "layers": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--predictor", help="directory, or random; default: the model directory's")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--source-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=8)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--at-a-time", type=int, default=16)
    parser.add_argument("--routing", default="exact")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    config = json.loads((pathlib.Path(options.model) / "config.json").read_text())
    chooser = random.Random(1)
    prompts = [[chooser.randrange(5, config["vocab_size"] - 200) for _ in range(options.source_tokens - 1)] + [1]
               for _ in range(options.requests)]
    table = write_table(options.model, seed=1) if options.predictor == "random" else None
    predictor = table.name if table else options.predictor or str(pathlib.Path(options.model) / "predictor")
    blocks, step = config["num_layers"], config["encoder_sparse_step"]
    with Cluster(options.model, workers=options.workers, predictor=predictor) as cluster:
        cluster.encoder_layers = sum(block % step == 1 for block in range(blocks)) if step > 1 else blocks
        phase(cluster, prompts[:4], 1, options.new_tokens, options.routing)  # Warms the caches.
        results = [phase(cluster, prompts, at_a_time, options.new_tokens, options.routing)
                   for at_a_time in (1, options.at_a_time)]
    if options.json:
        print(json.dumps(results))
        return
    for result in results:
        print(f"{result['requests']} requests, {result['at_a_time']} at a time, {result['seconds']} s")
        print("  layer           tokens late %  requests in time %  lead ms: 99 % above  half above  agreement")
        for row in result["layers"]:
            print(f"  {row['layer']:5} {row['stack']}  {row['late_percent']:13.2f}  {row['in_time_percent']:18.2f}"
                  f"  {row['lead_ms_p1']:>19}  {row['lead_ms_p50']:>10}"
                  f"  {row['agreement']:9.3f}")


if __name__ == "__main__":
    main()
