"""In exact mode no bit depends on the predictor: absent, present, killed, frozen, slow, or talking nonsense."""

import concurrent.futures
import json
import os
import pathlib
import signal
import sys
import threading
import time
import unittest

from cluster import SOURCE, Cluster, served_experts, what_must_not_change
from prompts import id_prompts
from token_table import write_table

MODEL = SOURCE / "tests" / "golden" / "cases" / "experts_64" / "model"
NONSENSE = pathlib.Path(os.environ.get("SIDA_TEST_PROGRAMS", SOURCE / "build" / "release" / "tests")) / "nonsense_predictor"
REQUESTS = 120
AT_A_TIME = 8
TOKENS = 16
SEEDS = int(os.environ.get("SIDA_NONSENSE_SEEDS", "3"))


class PredictorFaults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prompts = id_prompts(MODEL, REQUESTS, seed=9, longest=30)
        with Cluster(MODEL, workers=2) as cluster:
            cls.without = cls.ask(cluster, cls.prompts)
        cls.predictor = write_table(MODEL, seed=4)

    @classmethod
    def tearDownClass(cls):
        cls.predictor.cleanup()

    @staticmethod
    def ask(cluster, prompts, disturb=None, **options):
        """Answers in order; `disturb` runs once, when a third of them is there."""
        left = threading.Semaphore(len(prompts) // 3)

        def one(prompt):
            choice = cluster.complete(prompt, max_tokens=TOKENS, min_tokens=TOKENS, **options)
            score = cluster.score(prompt, prompts[0][:8])
            if disturb and not left.acquire(blocking=False):
                with cluster.lock:
                    if not cluster.disturbed:
                        cluster.disturbed = True
                        disturb()
            return json.dumps([what_must_not_change(choice), score["logprobs"], served_experts(score)])

        cluster.lock, cluster.disturbed = threading.Lock(), False
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            return list(pool.map(one, prompts))

    def check(self, cluster, answers):
        self.assertEqual(answers, self.without)
        self.assertEqual(cluster.metric("sida_sequences_total", outcome="failed"), 0)

    def test_present(self):
        with Cluster(MODEL, workers=2, predictor=self.predictor.name) as cluster:
            self.check(cluster, self.ask(cluster, self.prompts))
            self.assertGreater(cluster.metric("sida_gate_predicted_total"), 0, "nothing was predicted in time")
            self.assertGreater(cluster.metric("sida_table_lead_seconds_count"), 0)

    def test_batches_composed_by_shared_experts(self):
        flags = ["--sources-max", "2", "--overtake-max", "10s"]
        with Cluster(MODEL, workers=2, predictor=self.predictor.name, router_flags=flags) as cluster:
            self.check(cluster, self.ask(cluster, self.prompts))
            steps = cluster.metric("sida_encoder_steps_total")
            self.assertGreater(cluster.metric("sida_encoder_sources_total"), steps, "nobody shared a step")
            self.assertGreaterEqual(cluster.metric("sida_encoder_experts_total"), steps)

    def test_killed_in_the_middle(self):
        with Cluster(MODEL, workers=2, predictor=self.predictor.name) as cluster:

            def kill():
                cluster.predictor.signal(signal.SIGKILL)
                cluster.predictor.child.wait()

            self.check(cluster, self.ask(cluster, self.prompts, kill))
            self.assertTrue(cluster.disturbed)
            cluster.wait_until(lambda: cluster.state_count("predictor", "ready") == 0, "the loss is noticed")
            cluster.predictor.start()
            cluster.wait_until(lambda: cluster.state_count("predictor", "ready") == 1, "the predictor is back")
            before = cluster.metric("sida_gate_predicted_total")
            self.ask(cluster, self.prompts[:8])
            self.assertGreater(cluster.metric("sida_gate_predicted_total"), before, "the new predictor is not used")

    def test_several_share_the_load_and_one_dies(self):
        with Cluster(MODEL, workers=2, predictor=self.predictor.name, predictors=2) as cluster:

            def sources(index):
                return cluster.metric("sida_predictor_sources_total", predictor=f"predictor-{index}")

            def kill():
                # A source whose request has ended before its turn is not answered, so nothing is said of how many.
                cluster.wait_until(lambda: min(sources(0), sources(1)) > 0, "both answer sources")
                cluster.predictor.signal(signal.SIGKILL)
                cluster.predictor.child.wait()

            self.check(cluster, self.ask(cluster, self.prompts, kill))
            self.assertTrue(cluster.disturbed)
            cluster.wait_until(lambda: cluster.state_count("predictor", "ready") == 1, "the loss is noticed")
            before = sources(1)
            self.ask(cluster, self.prompts[:8])
            cluster.wait_until(lambda: sources(1) > before, "the one that is left answers")

    def test_frozen(self):
        with Cluster(MODEL, workers=2, predictor=self.predictor.name) as cluster:
            self.check(cluster, self.ask(cluster, self.prompts, lambda: cluster.predictor.signal(signal.SIGSTOP)))
            self.assertTrue(cluster.disturbed)

    def test_slow(self):
        """It runs for 5 of every 50 ms, so that entries come while layers compute, and after."""
        with Cluster(MODEL, workers=2, predictor=self.predictor.name) as cluster:
            over = threading.Event()

            def slow_down():
                while not over.wait(0.005):
                    cluster.predictor.signal(signal.SIGSTOP)
                    over.wait(0.045)
                    cluster.predictor.signal(signal.SIGCONT)

            thread = threading.Thread(target=slow_down)
            thread.start()
            try:
                answers = self.ask(cluster, self.prompts)
            finally:
                over.set()
                thread.join()
            self.check(cluster, answers)
            self.assertGreater(cluster.metric("sida_table_late_total"), 0, "nothing was late: it was not slow")

    def test_talking_nonsense(self):
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                command = lambda endpoint: [NONSENSE, endpoint, str(MODEL), str(seed)]
                with Cluster(MODEL, workers=2, predictor_command=command) as cluster:
                    self.check(cluster, self.ask(cluster, self.prompts))
                    self.assertGreater(cluster.metric("sida_malformed_messages_total"), 0)

    def test_nonsense_in_predicted_mode_fails_no_request(self):
        command = lambda endpoint: [NONSENSE, endpoint, str(MODEL), "77"]
        flags = ["--predicted-top-k", "3", "--predicted-weights", "renormalised", "--table-wait", "20ms"]
        with Cluster(MODEL, workers=2, predictor_command=command, router_flags=flags) as cluster:
            self.ask(cluster, self.prompts, routing="predicted")
            self.assertEqual(cluster.metric("sida_sequences_total", outcome="failed"), 0)
            self.assertGreater(cluster.metric("sida_table_chosen_total"), 0)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
