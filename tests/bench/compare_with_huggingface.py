#!/usr/bin/env python3
"""Times sida beside Hugging Face Transformers on the same cores in the same run, one request at a time.

    python tests/bench/compare_with_huggingface.py MODEL [--dtype bf16] [--json FILE]

Needs the release build with -DSIDA_BENCH=ON, and a Python with tests/golden/requirements.txt installed. Rounds of sida's
processes, sida in one process and Hugging Face are interleaved; medians are printed with the spread. Beside them stands
the time that reading the touched weights once from memory would take, at the bandwidth measured in the same run.
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

SOURCE_TOKENS = 32
NEW_TOKENS = 17
CORES = 2


def prompt(repeat, tokens=SOURCE_TOKENS):
    """As cluster_bench.cc: spread over the vocabulary, another one each time."""
    return [3 + (index * 7919 + repeat * 104729) % 30000 for index in range(tokens - 1)] + [1]


def memory_bandwidth(threads=CORES, gib=1.0, rounds=5):
    """Bytes per second that `threads` threads read together, best of some rounds."""
    import torch

    torch.set_num_threads(threads)
    values = torch.ones(int(gib * 2**30) // 8, dtype=torch.int64)
    values.sum()
    best = 0.0
    for _ in range(rounds):
        begin = time.perf_counter()
        values.sum()
        best = max(best, values.numel() * 8 / (time.perf_counter() - begin))
    return best


def timed(call):
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


class Sida:
    """Real processes: a router and two expert-workers, one compute thread each."""

    def __init__(self, model, dtype):
        from cluster import Cluster

        begin = time.perf_counter()
        flags = ["--dtype", dtype]
        self.cluster = Cluster(model, workers=2, worker_flags=flags, router_flags=flags).__enter__()
        self.start_up_s = time.perf_counter() - begin

    def generate(self, repeat, tokens):
        return self.cluster.complete(prompt(repeat), max_tokens=tokens, min_tokens=tokens)

    def close(self):
        self.cluster.__exit__()


class HuggingFace:
    def __init__(self, model, dtype):
        import torch
        from transformers import SwitchTransformersForConditionalGeneration

        torch.set_num_threads(CORES)
        self.torch = torch
        begin = time.perf_counter()
        self.model = SwitchTransformersForConditionalGeneration.from_pretrained(
            model, dtype=torch.bfloat16 if dtype == "bf16" else torch.float32).eval()
        self.start_up_s = time.perf_counter() - begin

    def generate(self, repeat, tokens):
        with self.torch.inference_mode():
            return self.model.generate(self.torch.tensor([prompt(repeat)]), max_new_tokens=tokens, min_new_tokens=tokens,
                                       do_sample=False)


def rounds_of(system, rounds):
    """Seconds of one first token (encoder pass and one decoder step) and of one further token, per round."""
    firsts, tokens = [], []
    for repeat in range(rounds):
        first, _ = timed(lambda: system.generate(repeat, 1))
        whole, _ = timed(lambda: system.generate(repeat, NEW_TOKENS))
        firsts.append(first)
        tokens.append((whole - first) / (NEW_TOKENS - 1))
    return firsts, tokens


def in_one_process(model, dtype, rounds):
    program = SOURCE / "build" / "release" / "bench" / "cluster_bench"
    done = subprocess.run([program, str(model), "2", dtype, str(SOURCE_TOKENS), str(NEW_TOKENS), str(rounds)],
                          capture_output=True, text=True, check=True)
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def touched_bytes(model, dtype, choice):
    """Of one encoder pass, and of one decoder step on average: dense weights once, each touched expert once."""
    config = json.loads((pathlib.Path(model) / "config.json").read_text())
    d, ff, inner, vocab = config["d_model"], config["d_ff"], config["num_heads"] * config["d_kv"], config["vocab_size"]
    size = 2 if dtype == "bf16" else 4
    encoder, decoder = choice["routing"]["experts"]["encoder"], choice["routing"]["experts"]["decoder"]
    experts = sum(len(set(layer) - {-1}) for layer in encoder)
    blocks, decoder_blocks = config["num_layers"], config["num_decoder_layers"]
    dense = 2 * d * ff
    encoder_bytes = blocks * 4 * d * inner + (blocks - len(encoder)) * dense + experts * dense
    decoder_bytes = decoder_blocks * 6 * d * inner + (decoder_blocks - len(decoder)) * dense + len(decoder) * dense + vocab * d
    return encoder_bytes * size, decoder_bytes * size


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model")
    arguments.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json")
    options = arguments.parse_args()

    bandwidth = memory_bandwidth()
    sida = Sida(options.model, options.dtype)
    choice = sida.generate(0, NEW_TOKENS)
    for repeat in range(options.rounds):
        sida.generate(repeat, 2)  # Every expert that the rounds touch is read before the clock runs.
    ours = rounds_of(sida, options.rounds)
    sida.close()
    one_process = in_one_process(options.model, options.dtype, options.rounds)
    peer = HuggingFace(options.model, options.dtype)
    peer.generate(0, 2)
    theirs = rounds_of(peer, options.rounds)

    encoder_bytes, step_bytes = touched_bytes(options.model, options.dtype, choice)
    result = {
        "model": pathlib.Path(options.model).name, "dtype": options.dtype, "cores": os.cpu_count(),
        "source_tokens": SOURCE_TOKENS, "memory_gb_per_s": bandwidth / 1e9,
        "start_up_s": {"sida": sida.start_up_s, "huggingface": peer.start_up_s},
        "first_token_s": {"sida": spread(ours[0]), "in_process": one_process["first_token_s"],
                          "huggingface": spread(theirs[0]), "read_once": (encoder_bytes + step_bytes) / bandwidth},
        "per_token_s": {"sida": spread(ours[1]), "in_process": one_process["per_token_s"],
                        "huggingface": spread(theirs[1]), "read_once": step_bytes / bandwidth},
    }
    print(json.dumps(result, indent=2))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
