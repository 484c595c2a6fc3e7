"""Requests with room for half of the experts, one and four at a time: seconds and bytes by policy, in interleaved rounds.

    python3 tests/bench/prefetch_pairs.py [ROUNDS] [demo|switch ...]    (SIDA_PROGRAMS: another folder of programs)

Models, prompts and tables are those of tests/integration/prefetch_test.py. Medians, with the range of the seconds; on a
machine that others use the seconds say little.
"""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from prefetch_test import Prefetch, PrefetchForTheDemoModel  # noqa: E402

POLICIES = {
    "lru, no table": (False, ["--eviction", "lru"]),
    "no table": (False, []),
    "table, off": (True, ["--prefetch", "off"]),
    "table, auto": (True, ["--prefetch", "auto"]),
    "table, on": (True, ["--prefetch", "on"]),
}
CASES = {"demo": PrefetchForTheDemoModel, "switch": Prefetch}
COLUMNS = ("waited_mb", "read_mb", "useful", "late", "wasted")


def measure(case, at_once, rounds):
    """By policy: a list of (seconds, figures)."""
    measured = {policy: [] for policy in POLICIES}
    with case.table() as table:
        for _ in range(rounds):
            for policy, (told, flags) in POLICIES.items():
                measured[policy].append(case.ask(table if told else None, at_once, flags)[1])
    return measured


def show(name, at_once, measured):
    print(f"\n{name}, {at_once} at a time, medians of {len(next(iter(measured.values())))} rounds\n")
    print("| eviction, prefetching | seconds | " + " | ".join(COLUMNS) + " |")
    print("| --- |" + " --: |" * (1 + len(COLUMNS)))
    for policy, runs in measured.items():
        seconds = [run["seconds"] for run in runs]
        medians = [f"{statistics.median(run[column] for run in runs):.0f}" for column in COLUMNS]
        print(f"| {policy} | {statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) | " +
              " | ".join(medians) + " |", flush=True)


def main(rounds, names):
    for name in names:
        case = CASES[name]
        case.setUpClass()
        try:
            for at_once in (1, 4):
                show(name, at_once, measure(case, at_once, rounds))
        finally:
            case.tearDownClass()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9, sys.argv[2:] or list(CASES))
