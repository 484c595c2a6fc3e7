"""`sida evaluate`: the keys that others rely on, what they say of the demo model, and what it refuses."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from cluster import COMMANDS_TIMEOUT_S, PROGRAMS, SOURCE
from prompts import id_prompts
from serve import run

DEMO = SOURCE / "models" / "demo"
HASHED = SOURCE / "tests" / "golden" / "cases" / "hash_routing" / "model"
SMALL = SOURCE / "tests" / "golden" / "cases" / "experts_64" / "model"
LINES = [{"prompt": "topic: a large ship that carries goods across the sea", "target": "artifact", "task": "short"},
         {"prompt": "topic: a person who plays music", "target": "person", "task": "short"},
         {"prompt": "a person who <extra_id_0> music in the <extra_id_1>", "task": "spans",
          "target": "<extra_id_0> plays <extra_id_1> street"},
         {"text": "topic: to walk slowly", "task": "own words"}]


class Evaluate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        (cls.folder / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
        cls.trace = cls.folder / "a.trace"
        done = run("trace", "--model", DEMO, "--file", cls.folder / "a.jsonl", "--out", cls.trace)
        assert done.returncode == 0, done.stderr

    def evaluate(self, *flags):
        out = self.folder / "e.json"
        done = run("evaluate", "--model", DEMO, "--trace", self.trace, "--json", out, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, json.loads(out.read_text())

    def test_it_measures_functions_and_modes(self):
        page = self.folder / "e.html"
        text, found = self.evaluate("--html", page, "--report", self.folder / "e.md", "--published-weights",
                                    "--out-of-domain", self.trace)
        self.assertEqual(text, (self.folder / "e.md").read_text())
        self.assertIn("<svg", page.read_text())
        short = found["tasks"]["short"]
        for key in ("top1", "top3", "gate_mass", "accuracy_exact", "accuracy_predicted"):
            self.assertTrue(0 <= short[key] <= 100, (key, short))
        self.assertIn("fidelity", short)
        self.assertEqual(set(found["tasks"]), {"short", "spans", "own words"})
        self.assertGreaterEqual(found["decoder"]["top3"], found["decoder"]["top1"])
        perplexity = found["perplexity"]
        self.assertAlmostEqual(perplexity["ratio"], perplexity["predicted"] / perplexity["exact"], places=2)
        oracle = next(one for one in found["held_out"]["predictors"] if one["name"] == "oracle")
        self.assertEqual((oracle["encoder"]["top1"], oracle["decoder"]["top1"]), (100, 100))
        modes = [(mode["mode"], mode["weights"]) for mode in found["modes"]]
        self.assertEqual([mode for mode, _ in modes], ["exact", "gated", "predicted", "predicted"])
        self.assertEqual(modes[-1], ("predicted", "published"))
        self.assertEqual(found["out_of_domain"]["predictors"][0]["encoder"],
                         found["held_out"]["predictors"][0]["encoder"])

    def test_exact_mode_is_that_of_score(self):
        _, found = self.evaluate()
        pair = {"prompt": LINES[2]["prompt"], "target": LINES[2]["target"]}
        done = run("score", "--model", DEMO, "--prompt", pair["prompt"], "--target", pair["target"], "--json")
        self.assertAlmostEqual(found["perplexity"]["exact"], json.loads(done.stdout)["perplexity"], places=2)

    def test_the_commands_of_the_page_work(self):
        (self.folder / "held-out.jsonl").write_text((self.folder / "a.jsonl").read_text())
        (self.folder / "other.txt").write_text("In the beginning was the word, and nobody wrote it down.\n")
        block = re.findall(r"```sh\n(.*?)```", (SOURCE / "docs" / "evaluation.md").read_text(), re.DOTALL)[0]
        done = subprocess.run(["bash", "-ec", block.replace("MODEL", str(DEMO))], cwd=self.folder, capture_output=True,
                              text=True, timeout=COMMANDS_TIMEOUT_S,
                              env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("out_of_domain", json.loads((self.folder / "e.json").read_text()))

    def test_functions_are_measured_without_a_cluster(self):
        _, found = self.evaluate("--no-modes", "--predictor", DEMO / "predictor")
        self.assertEqual(found["modes"], [])
        self.assertNotIn("perplexity", found)

    def test_the_tables_of_a_model_with_hash_routing_are_always_right(self):
        predictor = self.folder / "predefined"
        predictor.mkdir()
        (predictor / "predictor.json").write_text(json.dumps({"kind": "predefined", "k": 1}))
        lines = [{"input_ids": source, "target_ids": target, "task": "ids"}
                 for source, target in zip(id_prompts(HASHED, 6, seed=1), id_prompts(HASHED, 6, seed=2))]
        (self.folder / "h.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        trace, out = self.folder / "h.trace", self.folder / "h.json"
        for arguments in (["trace", "--file", self.folder / "h.jsonl", "--out", trace],
                          ["evaluate", "--trace", trace, "--predictor", predictor, "--json", out]):
            done = run(arguments[0], "--model", HASHED, *arguments[1:])
            self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(out.read_text())
        tables = found["held_out"]["predictors"][0]
        for stack in ("encoder", "decoder"):
            self.assertEqual((tables[stack]["top1"], tables[stack]["gate_mass"]), (100, 100))
        self.assertEqual(found["perplexity"]["predicted"], found["perplexity"]["exact"])

    def test_what_does_not_belong_together_is_refused(self):
        done = run("evaluate", "--model", SMALL, "--trace", self.trace)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stderr, r"\Aerror: mismatch: .*a\.trace: .*sida trace.*\n\Z")
        done = run("evaluate", "--model", SMALL, "--trace", self.trace, "--predictor", DEMO / "predictor")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stderr, r"\Aerror: mismatch: .*predictor\.json.*\n\Z")

    def test_a_damaged_trace_is_refused(self):
        damaged = self.folder / "damaged.trace"
        shutil.copy(self.trace, damaged)
        with damaged.open("r+b") as file:
            file.seek(300)
            file.write(b"\xff\xff")
        done = run("evaluate", "--model", DEMO, "--trace", damaged)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stderr, r"\Aerror: invalid_model: .*damaged\.trace: byte \d+: .*\n\Z")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
