"""With less memory than the experts need: what the hash table moves ahead in exact mode; prints the bytes that rows wait for."""

import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

from cluster import PROGRAMS, Cluster, what_must_not_change
from token_table import count_routes, write_table

LAYERS, EXPERTS = 4, 8  # Per stack; every second layer has experts.
MOE_LAYERS = LAYERS // 2
SLOTS_SHARE = 0.5
REQUESTS = 12
TOKENS = 6


def make_model(folder):
    """Random weights in Switch-base's geometry: an expert takes 9.4 MB, so that reading one takes time."""
    model = pathlib.Path(folder) / "model"
    subprocess.run([PROGRAMS / "sida", "make-model", model, "--like", "switch-base-8", "--layers", str(LAYERS), "--experts",
                    str(EXPERTS), "--dtype", "bf16", "--seed", "1"], check=True, stdout=subprocess.DEVNULL)
    return model


def prompts():
    # Few tokens each, all of different ones: a prompt touches some experts, and the next one others.
    chooser = random.Random(6)
    return [[chooser.randrange(100, 32000) for _ in range(4)] + [1] for _ in range(REQUESTS)]


def counted(answers):
    """A token-id table of what the gates did with these very tokens."""
    counts = collections.defaultdict(collections.Counter)
    for prompt, choice in answers:
        experts = choice["routing"]["experts"]
        count_routes(counts, 0, prompt, experts["encoder"])
        count_routes(counts, len(experts["encoder"]), [0] + choice["token_ids"][:-1], experts["decoder"])
    return counts


class Prefetch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="sida-prefetch-")
        cls.model = make_model(cls.folder.name)
        config = json.loads((cls.model / "config.json").read_text())
        expert = 2 * 2 * config["d_model"] * config["d_ff"]
        # Reading needs a buffer besides the slots; the worker's refusal of less would tell how much.
        cls.memory = int(SLOTS_SHARE * 2 * MOE_LAYERS * EXPERTS * expert) + 2 * expert

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def ask(self, predictor=None):
        flags = ["--expert-memory", str(self.memory)]
        with Cluster(self.model, workers=1, predictor=predictor, worker_flags=flags) as cluster:
            answers = [(prompt, cluster.complete(prompt, max_tokens=TOKENS, min_tokens=TOKENS)) for prompt in prompts()]
            served = sum(answer["routing"]["rows_by_worker"]["worker-0"] for _, answer in answers)
            cluster.wait_until(lambda: cluster.metric("sida_worker_rows_total") == served, "the worker has told of all rows")
            figures = {
                "waited_mb": cluster.metric("sida_worker_waited_bytes_total") / 1e6,
                "misses": cluster.metric("sida_worker_expert_misses_total"),
                "hits": cluster.metric("sida_worker_expert_hits_total"),
                **{fate: cluster.metric("sida_worker_prefetch_fates_total", fate=fate)
                   for fate in ("useful", "late", "wasted")},
                "late_entries": cluster.metric("sida_table_late_total"),
                "agreed": cluster.metric("sida_gate_agreed_total") / max(1, cluster.metric("sida_gate_compared_total")),
            }
        return answers, figures

    def test_fetches_ahead_what_the_table_names_and_changes_no_answer(self):
        without, alone = self.ask()
        with write_table(self.model, counts=counted(without)) as table:
            helped, predicted = self.ask(table)
        print("\nwithout a predictor:", alone, "\nwith one:", predicted, flush=True)
        self.assertEqual([json.dumps(what_must_not_change(choice)) for _, choice in helped],
                         [json.dumps(what_must_not_change(choice)) for _, choice in without])
        self.assertGreater(alone["misses"], 0)
        # How many come in time, and how many bytes that saves, hangs on the machine's load: figures, not claims.
        self.assertGreater(predicted["useful"] + predicted["late"], 0)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
