"""`sida trace`: what it records is what the model does, and a run may be stopped at any moment."""

import json
import math
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from cluster import PROGRAMS, READY_TIMEOUT_S, SOURCE, STOP_TIMEOUT_S
from prompts import id_prompts
from serve import SIDA, Serve, run
from trace_file import read_trace

DEMO = SOURCE / "models" / "demo"
SMALL = SOURCE / "tests" / "golden" / "cases" / "experts_64" / "model"
HASHED = SOURCE / "tests" / "golden" / "cases" / "hash_routing" / "model"
CAPACITY = SOURCE / "tests" / "golden" / "cases" / "capacity_1" / "model"


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=READY_TIMEOUT_S) as answer:
        return json.load(answer)


def served(stack):
    return [layer["served"] for layer in stack]


class Traces(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = pathlib.Path(self.folder.name) / "a.trace"

    def write(self, name, lines):
        path = pathlib.Path(self.folder.name) / name
        path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        return path

    def trace(self, model, file, *flags):
        done = run("trace", "--model", model, "--file", file, "--out", self.out, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def check_gates(self, header, sequence):
        for layer in sequence["encoder"] + sequence["decoder"]:
            for token, gate in enumerate(layer["gate"]):
                first = token * header["top"]
                # bf16 probabilities tie, and the lower id wins: the choice is among the best, not always the first.
                self.assertIn(gate, layer["top_experts"][first:first + 3])
                self.assertIn(layer["served"][token], (gate, -1))
                mass = sum(map(math.exp, layer["top_log_probabilities"][first:first + header["top"]]))
                self.assertLess(mass, 1.01)
                if header["top"] == header["experts"]:
                    self.assertGreater(mass, 0.99)

    def test_the_experts_recorded_are_those_that_serve_the_tokens(self):
        prompts = ["topic: a large ship that carries goods across the sea",
                   "pair: bank; meaning: sloping land; sentence: they sat on the bank of the river",
                   "a person who <extra_id_0> music"]
        self.trace(DEMO, self.write("a.txt", prompts), "--max-new-tokens", 8, "--task", "demo")
        header, sequences = read_trace(self.out)
        self.assertEqual([sequence["ordinal"] for sequence in sequences], [0, 1, 2])
        serve = Serve(DEMO)
        try:
            for prompt, sequence in zip(prompts, sequences):
                done = run("generate", "--url", serve.url, "--prompt", prompt, "--max-new-tokens", 8, "--json",
                           "--show-experts")
                answer = json.loads(done.stdout)
                self.assertEqual((sequence["task"], sequence["teacher_forced"]), ("demo", False))
                self.assertEqual(sequence["source"], answer["input_ids"])
                self.assertEqual(sequence["target"], answer["token_ids"])
                self.assertEqual(served(sequence["encoder"]), answer["experts"]["encoder"])
                self.assertEqual(served(sequence["decoder"]), answer["experts"]["decoder"])
                self.check_gates(header, sequence)
        finally:
            serve.stop()

    def test_targets_are_teacher_forced_and_dropped_tokens_recorded(self):
        lines = [{"input_ids": source, "target_ids": target, "task": "ids"}
                 for source, target in zip(id_prompts(CAPACITY, 4, seed=1), id_prompts(CAPACITY, 4, seed=2))]
        self.trace(CAPACITY, self.write("a.jsonl", lines))
        header, sequences = read_trace(self.out)
        serve = Serve(CAPACITY)
        try:
            for line, sequence in zip(lines, sequences):
                body = {"prompt": line["input_ids"], "target": line["target_ids"], "return_routing": True}
                experts = post(serve.url + "/v1/score", body)["routing"]["experts"]
                self.assertTrue(sequence["teacher_forced"])
                self.assertEqual(sequence["target"], line["target_ids"])
                self.assertEqual(served(sequence["encoder"]), experts["encoder"])
                self.assertEqual(served(sequence["decoder"]), experts["decoder"])
                self.check_gates(header, sequence)
        finally:
            serve.stop()
        self.assertIn(-1, sum(sum((served(sequence["encoder"]) for sequence in sequences), []), []))

    def test_a_model_with_hash_routing_has_certain_experts(self):
        self.trace(HASHED, self.write("a.jsonl", [{"input_ids": [5, 6, 5, 1], "target_ids": [7, 1]}]))
        header, sequences = read_trace(self.out)
        for layer in sequences[0]["encoder"]:
            self.assertEqual(layer["gate"][0], layer["gate"][2])
            self.assertEqual(layer["top_experts"][::header["top"]], layer["gate"])
            self.assertEqual(layer["top_log_probabilities"][:2], [0, -104])

    def test_a_run_that_was_stopped_goes_on_to_the_same_trace(self):
        file = self.write("a.jsonl", [{"input_ids": ids} for ids in id_prompts(SMALL, 400, seed=3)])
        flags = ["--max-new-tokens", 16, "--parallel", 2]
        arguments = ["trace", "--model", SMALL, "--file", file, "--out", self.out, *flags]
        child = subprocess.Popen([SIDA, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self.out.exists() or self.out.stat().st_size < 2000:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        told = child.communicate(timeout=READY_TIMEOUT_S)[0]
        self.assertEqual(child.returncode, 1)
        self.assertIn("interrupted by SIGINT", told)
        recorded = len(read_trace(self.out)[1])
        self.assertIn(f"{recorded} of them recorded before", self.trace(SMALL, file, *flags))
        stopped = self.out.read_bytes()
        self.out.unlink()
        self.trace(SMALL, file, *flags)
        self.assertEqual(stopped, self.out.read_bytes())

    def test_a_signal_ends_it_while_its_cluster_does_not_get_ready(self):
        programs = pathlib.Path(self.folder.name) / "programs"
        programs.mkdir()
        for name in ("sida", "sida-router"):
            shutil.copy(PROGRAMS / name, programs)
        started = programs / "started"
        worker = programs / "sida-expert-worker"
        worker.write_text(f"#!/bin/sh\ntouch {started}\nexec sleep 10000\n")
        worker.chmod(0o755)
        file = self.write("a.jsonl", [{"input_ids": [5, 6, 1]}])
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                started.unlink(missing_ok=True)
                child = subprocess.Popen([programs / "sida", "trace", "--model", SMALL, "--file", file, "--out", self.out],
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                deadline = time.monotonic() + READY_TIMEOUT_S
                while not started.exists():
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                child.send_signal(number)
                told = child.communicate(timeout=STOP_TIMEOUT_S)[1]
                self.assertEqual(child.returncode, 1)
                self.assertIn(f"interrupted by {number.name}", told)

    def test_a_trace_of_something_else_is_refused(self):
        file = self.write("a.jsonl", [{"input_ids": [5, 1], "target_ids": [6, 1]}])
        self.trace(SMALL, file)
        for model, lines, told in ((CAPACITY, file, "another model"),
                                   (SMALL, self.write("b.jsonl", [{"input_ids": [6, 1]}]), "line 1")):
            done = run("trace", "--model", model, "--file", lines, "--out", self.out)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertRegex(done.stderr, rf"\Aerror: mismatch: .*{told}.*\n\Z")
        damaged = bytearray(self.out.read_bytes())
        damaged[-1] ^= 1
        self.out.write_bytes(damaged)
        done = run("trace", "--model", SMALL, "--file", file, "--out", self.out)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stderr, r"\Aerror: invalid_model: .*a\.trace: byte 104: .*\n\Z")

    def test_span_corruption_hides_spans_of_plain_text(self):
        self.trace(DEMO, self.write("a.txt", ["a large ship that carries goods across the wide sea to far countries"]),
                   "--span-corruption")
        sequence = read_trace(self.out)[1][0]
        self.assertTrue(sequence["teacher_forced"])
        self.assertEqual(sequence["source"][-1], 1)
        self.assertEqual(sequence["target"][-1], 1)
        self.assertIn(sequence["target"][0], sequence["source"])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
