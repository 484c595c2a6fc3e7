"""`sida bench serve` against real processes: the figures of vLLM's names, a sweep of rates, and a server that stands still."""

import json
import pathlib
import signal
import tempfile
import threading
import time
import unittest

from cluster import SOURCE, Cluster
from serve import run

MODEL = SOURCE / "tests" / "golden" / "cases" / "experts_64" / "model"
SPREADS = [f"{what}_{name}_ms" for name in ("ttft", "tpot", "itl", "e2el") for what in ("mean", "median", "std", "p99")]


class BenchServe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(MODEL, workers=1, router_flags=["--waiting-max", "8", "--running-max", "4"]).__enter__()
        cls.addClassCleanup(cls.cluster.__exit__)

    def bench(self, *flags):
        """The JSON and the lines per request."""
        with tempfile.TemporaryDirectory() as folder:
            figures, lines = pathlib.Path(folder, "figures.json"), pathlib.Path(folder, "lines.jsonl")
            done = run("bench", "serve", "--url", f"http://127.0.0.1:{self.cluster.port}", "--json", figures, "--requests",
                       lines, "--ignore-eos", "--vocabulary", 40, *flags)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("Whole requests", done.stdout)
            return json.loads(figures.read_text()), [json.loads(line) for line in lines.read_text().splitlines()]

    def test_a_closed_loop(self):
        figures, lines = self.bench("--concurrency", 4, "--num-prompts", 20, "--max-tokens", 8, "--input-len", 6)
        self.assertEqual((figures["completed"], figures["failed"], figures["max_concurrency"]), (20, 0, 4))
        self.assertEqual((figures["total_output_tokens"], figures["total_input_tokens"]), (160, 120))
        for name in SPREADS + ["request_throughput", "output_throughput", "total_token_throughput"]:
            self.assertGreaterEqual(figures[name], 0, name)
        self.assertLessEqual(figures["median_ttft_ms"], figures["median_e2el_ms"])
        self.assertEqual([line["index"] for line in lines], list(range(20)))
        self.assertTrue(all(len(line["itl_ms"]) == 7 and line["status"] == 200 for line in lines))

    def test_a_sweep_of_rates(self):
        figures, lines = self.bench("--request-rate", 50, "--request-rate", "inf", "--num-prompts", 40, "--max-tokens", 400,
                                    "--goodput", "e2el:60000")
        self.assertEqual([point["request_rate"] for point in figures["points"]], [50, "inf"])
        self.assertEqual(len(lines), 80)
        flood = figures["points"][1]
        self.assertEqual(flood["completed"] + flood["failed"], 40)
        self.assertGreater(flood["rejected"], 0, "eight may wait and four run")
        self.assertEqual(flood["errors"], {"overloaded": flood["rejected"]})
        self.assertEqual(flood["request_goodput"], flood["request_throughput"])

    def test_a_server_that_stands_still_is_late_for_all_that_were_meant_for_then(self):
        router = self.cluster.router

        def freeze():
            time.sleep(0.8)
            router.signal(signal.SIGSTOP)
            time.sleep(1.5)
            router.signal(signal.SIGCONT)

        freezer = threading.Thread(target=freeze)
        freezer.start()
        # No more under way than the server takes: a client that waited for its turn and counted from there saw four late.
        _, lines = self.bench("--request-rate", 20, "--num-prompts", 60, "--max-tokens", 1, "--concurrency", 4, "--warmup", 0)
        freezer.join()
        late = [line for line in lines if line["e2el_ms"] > 500]
        self.assertGreater(len(late), 12, "a second of 20 requests was held up by more than half a second")

    def test_a_server_that_is_not_there_is_an_error(self):
        done = run("bench", "serve", "--url", "http://127.0.0.1:1", "--num-prompts", 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: unavailable", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
