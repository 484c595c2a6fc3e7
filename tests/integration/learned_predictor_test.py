"""The commands of docs/predictor.md work as they stand, at a small size; damaged and foreign files are named with exit
code 3."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from cluster import COMMANDS_TIMEOUT_S, PROGRAMS, SOURCE

MODEL = SOURCE / "models" / "demo"
WORDS = "a large ship that carries goods across the sea and a small bird that sings in the morning sun".split()


def texts(count: int) -> str:
    """Lines of words in changing order; every second one hides a span."""
    lines = []
    for i in range(count):
        words = [WORDS[(i * 7 + j * (1 + i % 5)) % len(WORDS)] for j in range(5 + i % 9)]
        if i % 2 == 0:
            lines.append({"prompt": "topic: " + " ".join(words), "target": words[0], "task": "short"})
        else:
            lines.append({"prompt": " ".join(words[:2] + ["<extra_id_0>"] + words[3:]), "task": "infill",
                          "target": "<extra_id_0> " + words[2]})
    return "".join(json.dumps(line) + "\n" for line in lines)


def run(command: str, folder: pathlib.Path) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", "-ec", command], cwd=folder, capture_output=True, text=True,
                          timeout=COMMANDS_TIMEOUT_S,
                          env={**os.environ, "PATH": f"{PROGRAMS}:/usr/bin:/bin", "HOME": str(folder)})


class LearnedPredictor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.held = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.held.name)
        (cls.folder / "texts.jsonl").write_text(texts(120))
        page = (SOURCE / "docs" / "predictor.md").read_text()
        commands = re.search(r"```sh\n(.*?)```", page, re.DOTALL).group(1)
        for word, value in {"MODEL": str(MODEL), "TEXT.jsonl": "texts.jsonl", "PREDICTOR": "predictor"}.items():
            commands = commands.replace(word, value)
        commands = commands.replace("sida train ", "sida train --tokens 6000 --batch-tokens 512 --held-out 0.2 ")
        cls.outputs = [cls.run_ok(line) for line in commands.splitlines()]

    @classmethod
    def tearDownClass(cls):
        cls.held.cleanup()

    @classmethod
    def run_ok(cls, command: str) -> str:
        done = run(command, cls.folder)
        assert done.returncode == 0, command + "\n" + done.stdout + done.stderr
        return done.stdout

    def expect_invalid(self, command: str, named: str):
        done = run(command, self.folder)
        self.assertEqual(done.returncode, 3, command + done.stdout + done.stderr)
        self.assertIn(named, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()[-1:]), 1)

    def test_the_card_tells_what_was_learned(self):
        card = json.loads((self.folder / "predictor" / "predictor.json").read_text())
        self.assertEqual(card["kind"], "learned")
        self.assertGreater(card["held_out"]["short"]["encoder"]["top3"], 80)
        self.assertGreater(card["held_out"]["infill"]["decoder"]["top3"], 50)
        self.assertLess((self.folder / "predictor" / "weights.safetensors").stat().st_size, 10_000_000)
        self.assertFalse((self.folder / "predictor" / "checkpoint").exists())

    def test_the_router_uses_it(self):
        self.assertIn("learned", self.outputs[2])
        answer = json.loads(self.outputs[3])
        self.assertGreater(answer["routing"]["predicted"], 0)
        self.assertGreater(answer["routing"]["agreement"], 0.5)

    def test_nobody_waits_for_what_the_published_network_never_says(self):
        """It is silent about decoders: a step that waited for it would wait out the whole --table-wait."""
        self.run_ok(f"sida train --model {MODEL} --trace routes.trace --out published --network published "
                    "--tokens 600 --batch-tokens 256 --held-out 0.2")
        out = self.run_ok(f"sida generate --model {MODEL} --predictor published --routing predicted --table-wait 100s "
                          "--timeout 90s --min-new-tokens 4 --max-new-tokens 4 --prompt 'topic: a large ship' --json")
        routing = json.loads(out)["routing"]
        self.assertGreater(routing["by_table"], 0, "the encoder went by the gate")

    def test_damaged_weights_are_named(self):
        self.run_ok("cp -r predictor damaged && truncate -s -1 damaged/weights.safetensors")
        self.expect_invalid(f"sida check --model {MODEL} --predictor damaged", "weights.safetensors")

    def test_a_damaged_trace_is_named(self):
        trace = bytearray((self.folder / "routes.trace").read_bytes())
        trace[len(trace) // 2] ^= 0xff
        (self.folder / "damaged.trace").write_bytes(trace)
        self.expect_invalid(f"sida train --model {MODEL} --trace damaged.trace --out unused", "damaged.trace")

    def test_another_models_trace_and_predictor_are_refused(self):
        self.run_ok("sida make-model other --like switch-base-8 --layers 2 --experts 2")
        self.expect_invalid("sida check --model other --predictor predictor", "sida train --model other")
        self.expect_invalid("sida train --model other --trace routes.trace --out unused", "routes.trace")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
