"""The bundled demo model, in fp32, answers held-out prompts token for token as Hugging Face does; and the predictor's
hash-table entries arrive, agree often with the gate, and change nothing."""

import concurrent.futures
import hashlib
import json
import signal
import sys
import unittest

from cluster import SOURCE, Cluster, what_must_not_change

MODEL = SOURCE / "models" / "demo"
GOLDEN = SOURCE / "tests" / "golden" / "demo"
MARGIN = 1e-4  # Of log-probabilities; below it another order of additions may choose the other token.
NEW_TOKENS = 32


def lines(name):
    return [json.loads(line) for line in (GOLDEN / name).read_text().splitlines()]


class DemoModel(unittest.TestCase):
    def test_the_reference_was_made_from_these_weights(self):
        digest = hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest()
        self.assertTrue((GOLDEN / "reference.sha256").read_text().startswith(digest),
                        "run tests/golden/demo/make_reference.py")

    def test_answers_what_hugging_face_answers(self):
        prompts, references = lines("prompts.jsonl"), lines("reference.jsonl")
        self.assertEqual((len(prompts), len(references)), (200, 200))
        with Cluster(MODEL, workers=2, worker_flags=["--dtype", "fp32"], router_flags=["--dtype", "fp32"]) as cluster:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                choices = list(pool.map(lambda p: cluster.complete(p["prompt"], max_tokens=NEW_TOKENS), prompts))
        compared = 0
        for choice, reference in zip(choices, references):
            self.assertEqual(choice["prompt_token_ids"], reference["input_ids"])
            for index, (token, margin) in enumerate(zip(reference["token_ids"], reference["margins"])):
                if margin < MARGIN:
                    break
                self.assertEqual(choice["token_ids"][index], token, (reference, choice["token_ids"]))
                compared += 1
            else:
                self.assertEqual(len(choice["token_ids"]), len(reference["token_ids"]))
        print(f"\n{compared} tokens compared with Hugging Face", flush=True)
        self.assertGreater(compared, 400)

    def test_a_predictor_changes_no_output_and_its_loss_neither(self):
        prompts = [line["prompt"] for line in lines("prompts.jsonl")[::8]]
        with Cluster(MODEL, workers=2) as cluster:
            without = [what_must_not_change(cluster.complete(prompt)) for prompt in prompts]
        with Cluster(MODEL, workers=2, predictor=MODEL / "predictor") as cluster:
            choices = [cluster.complete(prompt) for prompt in prompts]
            self.assertEqual([what_must_not_change(choice) for choice in choices], without)
            predicted = sum(choice["routing"]["predicted"] for choice in choices)
            agreed = sum(choice["routing"]["hits"] for choice in choices)
            routed = sum(choice["routing"]["routed"] for choice in choices)
            print(f"\n{predicted} of {routed} routes had an entry in time, {agreed / max(1, predicted):.1%} agreed", flush=True)
            self.assertGreater(predicted, 100, "too few to judge; how many are in time hangs on the machine's load")
            self.assertGreater(agreed, predicted / 4, "a random guess among 16 agrees with one in sixteen")
            cluster.predictor.signal(signal.SIGKILL)
            after = [what_must_not_change(cluster.complete(prompt)) for prompt in prompts]
            self.assertEqual(after, without)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
