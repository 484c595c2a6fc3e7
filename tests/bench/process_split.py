#!/usr/bin/env python3
"""What the split into processes costs, by what carries the rows: one request at a time, in turn.

    python3 tests/bench/process_split.py MODEL [--dtype bf16] [--rounds 15] [--json FILE]

A router and two expert-workers, one compute thread each, as processes with rows through shared memory, as processes with
rows over ZeroMQ, and as threads of one process (cluster_bench). Each round asks all three for the same prompt. Needs the
release build with -DSIDA_BENCH=ON, and memory for the model three times. The cost is the median of the rounds' ratios to
one process. Requests to processes go over HTTP, which counts for the first token alone. Wall time: run it on an idle
machine.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "integration"))
from cluster import Cluster  # noqa: E402

SOURCE_TOKENS = 32
NEW_TOKENS = 33


def prompt(repeat):
    """As cluster_bench.cc: spread over the vocabulary, another one each time."""
    return [3 + (index * 7919 + repeat * 104729) % 30000 for index in range(SOURCE_TOKENS - 1)] + [1]


class Processes:
    def __init__(self, model, dtype, channel):
        flags = ["--dtype", dtype]
        self.cluster = Cluster(model, workers=2, worker_flags=flags,
                               router_flags=[*flags, "--tensor-channel", channel]).__enter__()

    def seconds(self, repeat, tokens):
        begin = time.perf_counter()
        self.cluster.complete(prompt(repeat), max_tokens=tokens, min_tokens=tokens)
        return time.perf_counter() - begin

    def measure(self, repeat):
        first = self.seconds(repeat, 1)
        return {"first token": first, "further token": (self.seconds(repeat, NEW_TOKENS) - first) / (NEW_TOKENS - 1)}

    def close(self):
        self.cluster.__exit__()


class OneProcess:
    def __init__(self, model, dtype):
        program = SOURCE / "build" / "release" / "bench" / "cluster_bench"
        self.child = subprocess.Popen([program, str(model), "2", dtype, str(SOURCE_TOKENS), str(NEW_TOKENS), "0"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def measure(self, repeat):
        self.child.stdin.write(f"{repeat}\n")
        self.child.stdin.flush()
        for line in self.child.stdout:
            if line.startswith("{"):
                answer = json.loads(line)
                return {"first token": answer["first_token_s"], "further token": answer["per_token_s"]}
        raise RuntimeError("cluster_bench ended")

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model")
    arguments.add_argument("--dtype", choices=["fp32", "bf16"], default="bf16")
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--json")
    options = arguments.parse_args()

    systems = {"one process": OneProcess(options.model, options.dtype)}
    try:
        systems["shared memory"] = Processes(options.model, options.dtype, "auto")
        systems["ZeroMQ"] = Processes(options.model, options.dtype, "zeromq")
        kinds = set(systems["shared memory"].cluster.channels())
        if kinds != {"shared-memory"}:
            raise SystemExit(f"rows do not go through shared memory here but over {kinds}")
        for repeat in range(options.rounds):  # Every expert that the rounds touch is read before the clock runs.
            for system in systems.values():
                system.measure(repeat)
        rounds = {name: [] for name in systems}
        for repeat in range(options.rounds):
            for name, system in systems.items():
                rounds[name].append(system.measure(repeat))
    finally:
        for system in systems.values():
            system.close()

    result = {"model": pathlib.Path(options.model).name, "dtype": options.dtype, "cores": os.cpu_count(), "rows": []}
    print("| what | system | ms, median | range | over one process |\n| --- | --- | --: | --: | --: |")
    for what in ("first token", "further token"):
        alone = [one[what] for one in rounds["one process"]]
        for name in systems:
            values = [one[what] for one in rounds[name]]
            over = statistics.median(value / base - 1 for value, base in zip(values, alone))
            result["rows"].append({"what": what, "system": name, "ms": 1e3 * statistics.median(values),
                                   "min_ms": 1e3 * min(values), "max_ms": 1e3 * max(values), "over_one_process": over})
            print(f"| {what} | {name} | {1e3 * statistics.median(values):.2f} | {1e3 * min(values):.2f} to "
                  f"{1e3 * max(values):.2f} | {100 * over:+.1f} % |")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
