"""Output is the same to the last bit for any number of workers, any kernel, and any predictor."""

import json
import pathlib
import sys
import unittest

from cluster import SOURCE, Cluster, served_experts, what_must_not_change
from prompts import id_prompts

CASES = SOURCE / "tests" / "golden" / "cases"
MODELS = [CASES / "experts_64" / "model", CASES / "bf16_sharded" / "model", CASES / "pickle_sharded" / "model"]


def answers(cluster, model):
    prompts = id_prompts(model, 6, seed=5)
    results = [what_must_not_change(cluster.complete(prompt)) for prompt in prompts]
    sampled = [what_must_not_change(cluster.complete(prompt, temperature=0.8, seed=11, top_k=20)) for prompt in prompts]
    scores = []
    for prompt, target in zip(prompts, reversed(prompts)):
        score = cluster.score(prompt, target)
        scores.append((score["logprobs"], served_experts(score)))
    return json.dumps([results, sampled, scores])


def kernels():
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    found = ["scalar"]
    for kernel, flag in (("avx2", " avx2 "), ("avx512", " avx512f "), ("avx512bf16", " avx512_bf16 ")):
        if flag in flags:
            found.append(kernel)
    return found


class SameBits(unittest.TestCase):
    def test_for_one_two_and_three_workers(self):
        for model in MODELS:
            with self.subTest(model=model.parent.name):
                seen = set()
                for workers in (1, 2, 3):
                    with Cluster(model, workers=workers) as cluster:
                        seen.add(answers(cluster, model))
                self.assertEqual(len(seen), 1)

    def test_for_every_channel(self):
        model = MODELS[0]
        seen = set()
        for router, worker, kind in (("auto", "auto", "shared-memory"), ("zeromq", "auto", "zeromq"), ("auto", "zeromq", "zeromq")):
            flags = [["--tensor-channel", choice] for choice in (worker, router)]
            with Cluster(model, workers=2, worker_flags=flags[0], router_flags=flags[1]) as cluster:
                seen.add(answers(cluster, model))
                self.assertEqual(cluster.channels(), [kind, kind])
        self.assertEqual(len(seen), 1)

    def test_for_every_kernel(self):
        for model in MODELS[:2]:
            with self.subTest(model=model.parent.name):
                seen = set()
                for kernel in kernels():
                    flags = ["--cpu-kernel", kernel]
                    with Cluster(model, workers=2, worker_flags=flags, router_flags=flags) as cluster:
                        seen.add(answers(cluster, model))
                self.assertEqual(len(seen), 1)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
