"""Seconds of a dozen requests, one at a time, with room for half of the experts: by policy, in interleaved rounds.

    python3 tests/bench/prefetch_pairs.py [ROUNDS]    (SIDA_PROGRAMS: another folder of programs)

The model, the prompts and the table are those of tests/integration/prefetch_test.py. Medians and all rounds; on a machine
that others use they say little.
"""

import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from cluster import Cluster  # noqa: E402
from prefetch_test import TOKENS, Prefetch, counted, prompts  # noqa: E402
from token_table import write_table  # noqa: E402

POLICIES = {
    "lru, no table": (False, ["--eviction", "lru"]),
    "table, no prefetching": (True, ["--prefetch", "off"]),
    "table": (True, []),
    "table, always prefetching": (True, ["--prefetch", "on"]),
}


def ask(predictor, flags):
    memory = ["--expert-memory", str(Prefetch.memory)]
    with Cluster(Prefetch.model, workers=1, predictor=predictor, worker_flags=memory + flags) as cluster:
        began = time.monotonic()
        answers = [(prompt, cluster.complete(prompt, max_tokens=TOKENS, min_tokens=TOKENS)) for prompt in prompts()]
        return time.monotonic() - began, answers


def main(rounds):
    Prefetch.setUpClass()
    try:
        _, answers = ask(None, [])
        seconds = {policy: [] for policy in POLICIES}
        with write_table(Prefetch.model, counts=counted(answers)) as table:
            for _ in range(rounds):
                for policy, (told, flags) in POLICIES.items():
                    seconds[policy].append(ask(table if told else None, flags)[0])
        for policy, taken in seconds.items():
            print(f"{policy}: median {statistics.median(taken):.2f} s of", " ".join(f"{value:.2f}" for value in taken))
    finally:
        Prefetch.tearDownClass()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
