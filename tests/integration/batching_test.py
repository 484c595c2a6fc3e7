"""Nobody's answer depends on the neighbours: mixed requests, 32 at a time, get the ids and log-probabilities, to the last
bit, that they get one after another. SIDA_TEST_REQUESTS says how many."""

import concurrent.futures
import json
import os
import random
import sys
import time
import unittest

from cluster import SOURCE, Cluster, served_experts

DEMO = SOURCE / "models" / "demo"
REQUESTS = int(os.environ.get("SIDA_TEST_REQUESTS", "60"))
AT_ONCE = 32


def prompts():
    lines = (SOURCE / "tests" / "golden" / "demo" / "prompts.jsonl").read_text().splitlines()
    return [json.loads(line)["prompt"] for line in lines]


def completion(draw, texts):
    """A request of any kind: greedy, sampled, filtered, of several choices, the best of several, or a beam search."""
    body = {"prompt": draw.choice(texts), "max_tokens": draw.choice((1, 2, 5, 9, 16, 32)), "logprobs": draw.randint(0, 5),
            "return_routing": True, "return_token_ids": True}
    if draw.random() < 0.2:  # Long ones, over several texts.
        body["prompt"] = " ".join(draw.sample(texts, 6))
    if draw.random() < 0.2:
        body["prompt"] = [body["prompt"], draw.choice(texts)]
    if draw.random() < 0.5:
        body["min_tokens"] = draw.randint(0, body["max_tokens"])
    if draw.random() < 0.25:
        body["repetition_penalty"] = draw.choice((0.9, 1.2))
    if draw.random() < 0.25:
        body["no_repeat_ngram_size"] = draw.randint(1, 3)
    kind = draw.choice(("greedy", "sampled", "sampled", "choices", "best", "beams", "beams"))
    if kind == "beams":
        return {**body, "use_beam_search": True, "best_of": draw.randint(2, 6), "n": draw.randint(1, 2),
                "length_penalty": draw.choice((-1, 0, 1, 2)), "early_stopping": draw.choice((True, False, "never"))}
    body["temperature"] = 0 if kind == "greedy" else draw.choice((0.5, 1, 1.7))
    body["seed"] = draw.randrange(2**32)
    if kind != "greedy" and draw.random() < 0.5:
        body.update(top_k=draw.choice((1, 5, 40)), top_p=draw.choice((0.5, 0.9, 1)))
    if kind == "choices":
        body["n"] = draw.randint(2, 4)
    if kind == "best":
        body.update(n=draw.randint(1, 2), best_of=draw.randint(2, 4))
    return body


def requests(count):
    draw, texts = random.Random(20), prompts()
    mixed = []
    for _ in range(count):
        if draw.random() < 0.15:
            mixed.append(("/v1/score", {"prompt": draw.choice(texts), "target": draw.choice(texts), "return_routing": True}))
        else:
            mixed.append(("/v1/completions", completion(draw, texts)))
    return mixed


def ask(cluster, request):
    path, body = request
    answer = cluster.post(path, body)
    if path == "/v1/score":
        return answer["logprobs"], answer["perplexity"], served_experts(answer)
    same = ("index", "text", "token_ids", "logprobs", "finish_reason", "score")
    return [{**{key: choice.get(key) for key in same}, "experts": served_experts(choice)} for choice in answer["choices"]], \
        answer["usage"]


class Batching(unittest.TestCase):
    def compare(self, dtype):
        mixed = requests(REQUESTS)
        flags = ["--dtype", dtype]
        with Cluster(DEMO, workers=2, predictor=DEMO / "predictor", worker_flags=flags, router_flags=flags) as cluster:
            began = time.monotonic()
            alone = [ask(cluster, request) for request in mixed]
            between = time.monotonic()
            steps = cluster.metric("sida_steps_total")
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                together = list(pool.map(lambda request: ask(cluster, request), mixed))
            ended = time.monotonic()
            shared = cluster.metric("sida_steps_total") - steps
            print(f"\n{dtype}: {len(mixed)} requests in {between - began:.1f} s one by one ({steps:.0f} steps), "
                  f"{ended - between:.1f} s {AT_ONCE} at a time ({shared:.0f} steps)", flush=True)
            self.assertLess(shared, steps / 2, "they did not share steps")
        for request, expected, found in zip(mixed, alone, together):
            self.assertEqual(found, expected, request)

    def test_mixed_requests_get_in_fp32_what_they_get_alone(self):
        self.compare("fp32")

    def test_mixed_requests_get_in_bf16_what_they_get_alone(self):
        self.compare("bf16")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
