"""A model larger than its memory: does a cluster stay under `--expert-memory`, and how fast is it there?

    python3 tests/bench/memory_cap.py --model STORE --expert-memory 16GiB
    python3 tests/bench/memory_cap.py --model STORE --expert-memory 1700MiB --eviction lru --prefetch off

Starts `sida serve` from a cold page cache, asks random sources one at a time and then several at a time, and prints the time to the
first answer, the rate, what the workers read, and the largest memory that was seen: of all processes (proportional set
size) and of the page cache of the model's files together. In the same run it measures how fast the disk gives the store
without the page cache, which bounds everything that has to be read.
"""

import argparse
import concurrent.futures
import http.client
import json
import mmap
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import PROGRAMS  # noqa: E402
from serve import Serve  # noqa: E402

GIB = 1 << 30
SAMPLE_EVERY_S = 0.2
PROBE_BYTES = 2 * GIB
PROBE_READ_BYTES = 8 << 20
ROW = "{what:<34} {value}"


def forget_pages(directory):
    for path in directory.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def disk_bytes_per_s(path):
    """Sequential direct reads of the first bytes of a file."""
    buffer = mmap.mmap(-1, PROBE_READ_BYTES)
    file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        began, total = time.monotonic(), 0
        while total < PROBE_BYTES:
            got = os.preadv(file, [buffer], total)
            if got <= 0:
                break
            total += got
        return total / (time.monotonic() - began)
    finally:
        os.close(file)


def cached_bytes(directory):
    files = [str(path) for path in directory.iterdir() if path.is_file()]
    out = subprocess.run(["fincore", "--bytes", "--noheadings", "--output", "RES", *files], capture_output=True, text=True)
    return sum(int(line) for line in out.stdout.split())


def descendants(pid):
    found = [pid]
    for each in found:
        try:
            found += map(int, pathlib.Path(f"/proc/{each}/task/{each}/children").read_text().split())
        except OSError:
            pass  # It has ended.
    return found


def field(path, key):
    """The number behind `key:` in a file of /proc; 0 when the process has ended."""
    try:
        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


class MemoryWatch(threading.Thread):
    """Samples what a tree of processes holds, until stop(). Bytes."""

    def __init__(self, pid, directory):
        super().__init__(daemon=True)
        self.pid, self.directory = pid, directory
        self.peak = {"processes": 0, "cached": 0, "together": 0}
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(SAMPLE_EVERY_S):
            held = sum(field(f"/proc/{pid}/smaps_rollup", "Pss") * 1024 for pid in descendants(self.pid))
            cached = cached_bytes(self.directory)
            now = {"processes": held, "cached": cached, "together": held + cached}
            self.peak = {key: max(self.peak[key], now[key]) for key in now}

    def stop(self):
        self.ended.set()
        self.join()


class Asker:
    def __init__(self, serve, tokens, routing):
        self.address = urllib.parse.urlsplit(serve.url)
        self.tokens, self.routing = tokens, routing

    def __call__(self, source):
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=600)
        body = {"prompt": source, "max_tokens": self.tokens, "min_tokens": self.tokens, "temperature": 0,
                "routing": self.routing}
        began = time.monotonic()
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {answer}")
        return time.monotonic() - began


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(share * len(times)))] * 1e3


def phase(name, serve, asker, sources, at_a_time):
    read = lambda: sum(field(f"/proc/{pid}/io", "read_bytes") for pid in descendants(serve.child.pid))
    before, began = read(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        times = list(pool.map(asker, sources))
    took = time.monotonic() - began
    return {"phase": name, "requests": len(sources), "at_a_time": at_a_time, "requests_per_s": len(sources) / took,
            "latency_ms": {f"p{int(share * 100)}": percentile(times, share) for share in (0.5, 0.95, 0.99)},
            "bytes_read": read() - before, "seconds": took}


def measure(options):
    model = pathlib.Path(options.model)
    vocab = json.loads((model / "config.json").read_text())["vocab_size"]
    chooser = random.Random(options.seed)
    source = lambda: [chooser.randrange(5, vocab - 200) for _ in range(options.source_tokens - 1)] + [1]
    largest = max(model.iterdir(), key=lambda path: path.stat().st_size)
    result = {"disk_gb_per_s": disk_bytes_per_s(largest) / 1e9, "phases": []}
    forget_pages(model)
    flags = ["--workers", options.workers, "--expert-memory", options.expert_memory, "--threads", options.threads]
    for name in ("predictor", "eviction", "prefetch"):
        flags += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    began = time.monotonic()
    serve = Serve(options.model, *map(str, flags))
    watch = MemoryWatch(serve.child.pid, model)
    try:
        watch.start()
        ask = Asker(serve, options.new_tokens, options.routing)
        result["ready_s"] = time.monotonic() - began
        ask(source())
        result["first_answer_s"] = time.monotonic() - began
        result["phases"].append(phase("one at a time", serve, ask, [source() for _ in range(options.requests)], 1))
        result["phases"].append(
            phase("together", serve, ask, [source() for _ in range(options.requests)], options.at_a_time))
        result["workers"] = serve.status()["workers"]
    finally:
        watch.stop()
        serve.stop()
    result["peak_bytes"] = watch.peak
    return result


def show(options, result):
    gib = lambda count: f"{count / GIB:.2f} GiB"
    print(ROW.format(what="disk, direct sequential reads", value=f"{result['disk_gb_per_s']:.2f} GB/s"))
    print(ROW.format(what="ready, cold page cache", value=f"{result['ready_s']:.1f} s"))
    print(ROW.format(what="first answer", value=f"{result['first_answer_s']:.1f} s after the start"))
    for each in result["phases"]:
        latency = each["latency_ms"]
        rate = each["bytes_read"] / each["seconds"] / 1e9
        print(ROW.format(what=f"{each['requests']} requests, {each['at_a_time']} at a time",
                         value=f"{each['requests_per_s']:.2f} requests/s; p50 {latency['p50']:.0f}, p95 {latency['p95']:.0f}, p99 "
                               f"{latency['p99']:.0f} ms; read {gib(each['bytes_read'])}, {rate:.2f} GB/s"))
    peak = result["peak_bytes"]
    print(ROW.format(what=f"peak, with --expert-memory {options.expert_memory}",
                     value=f"{gib(peak['together'])} (processes {gib(peak['processes'])}, page cache {gib(peak['cached'])})"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--expert-memory", required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--predictor")
    parser.add_argument("--eviction")
    parser.add_argument("--prefetch")
    parser.add_argument("--routing", default="exact")
    parser.add_argument("--source-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=8)
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--at-a-time", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (PROGRAMS / "sida").exists():
        sys.exit(f"error: not_found: {PROGRAMS}/sida: build first, or set SIDA_PROGRAMS")
    result = measure(options)
    print(json.dumps(result)) if options.json else show(options, result)


if __name__ == "__main__":
    main()
