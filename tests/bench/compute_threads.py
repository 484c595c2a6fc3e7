#!/usr/bin/env python3
"""How many compute threads router and workers should have: real clusters side by side, one request at a time, in turn.

    python3 tests/bench/compute_threads.py MODEL [--dtype bf16] [--threads 1+1,2+1,2+2] [--json FILE]

"2+1" is two threads in the router and one in each of two workers. Needs the release build, and memory for the model once
per pair. Medians over the rounds with their range, milliseconds, wall time: run it on an idle machine.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "integration"))
from cluster import Cluster  # noqa: E402

NEW_TOKENS = 17


def prompt(repeat, tokens):
    """As cluster_bench.cc: spread over the vocabulary, another one each time."""
    return [3 + (index * 7919 + repeat * 104729) % 30000 for index in range(tokens - 1)] + [1]


def timed_ms(cluster, repeat, source_tokens, new_tokens):
    begin = time.perf_counter()
    cluster.complete(prompt(repeat, source_tokens), max_tokens=new_tokens, min_tokens=new_tokens)
    return 1e3 * (time.perf_counter() - begin)


def measure(cluster, repeat):
    first = timed_ms(cluster, repeat, 32, 1)
    return {"first token of 32": first,
            "further token": (timed_ms(cluster, repeat, 32, NEW_TOKENS) - first) / (NEW_TOKENS - 1),
            "first token of 256": timed_ms(cluster, repeat, 256, 1)}


def start(model, dtype, threads):
    router, worker = threads.split("+")
    flags = ["--dtype", dtype, "--threads"]
    return Cluster(model, workers=2, router_flags=[*flags, router], worker_flags=[*flags, worker]).__enter__()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model")
    arguments.add_argument("--dtype", choices=["fp32", "bf16"], default="bf16")
    arguments.add_argument("--threads", default="1+1,2+1,2+2")
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--json")
    options = arguments.parse_args()

    clusters = {threads: start(options.model, options.dtype, threads) for threads in options.threads.split(",")}
    try:
        for cluster in clusters.values():  # Every expert that the rounds touch is read before the clock runs.
            for repeat in range(options.rounds):
                measure(cluster, repeat)
        rounds = {threads: [] for threads in clusters}
        for repeat in range(options.rounds):
            for threads, cluster in clusters.items():
                rounds[threads].append(measure(cluster, repeat))
    finally:
        for cluster in clusters.values():
            cluster.__exit__()

    result = {"model": pathlib.Path(options.model).name, "dtype": options.dtype, "cores": os.cpu_count(), "rows": []}
    print("| what | threads, router+worker | ms | range |\n| --- | --- | --: | --: |")
    for what in next(iter(rounds.values()))[0]:
        for threads in clusters:
            values = [one[what] for one in rounds[threads]]
            row = {"what": what, "threads": threads, "ms": statistics.median(values), "min": min(values), "max": max(values)}
            result["rows"].append(row)
            print(f"| {what} | {threads} | {row['ms']:.1f} | {row['min']:.1f} to {row['max']:.1f} |")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
