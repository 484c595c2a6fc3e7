"""Expert stores: the same answers as the model that they were made from, and none at all from damaged blocks."""

import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from cluster import PROGRAMS, SOURCE, Cluster, served_experts, what_must_not_change
from prompts import id_prompts
from serve import SIDA, run

CASES = SOURCE / "tests" / "golden" / "cases"
DEMO = SOURCE / "models" / "demo"


def answers(model, workers, flags=(), **options):
    with Cluster(model, workers=workers, worker_flags=flags, router_flags=flags, **options) as cluster:
        prompts = id_prompts(model, 4, seed=3)
        found = [what_must_not_change(cluster.complete(prompt)) for prompt in prompts]
        score = cluster.score(prompts[0], prompts[1])
        return json.dumps([found, score["logprobs"], served_experts(score)])


def flip_a_bit(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sida-store-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def convert(self, source, name="store", *flags):
        done = run("convert", source, self.folder / name, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / name

    def manifest(self, store):
        return json.loads((store / "experts.json").read_text())


class SameAnswers(StoreTest):
    def test_as_the_model_for_one_and_two_workers(self):
        for case in ("experts_64", "bf16_sharded", "pickle_sharded", "fp16", "hash_routing", "odd_sizes"):
            with self.subTest(case=case):
                model = CASES / case / "model"
                store = self.convert(model, case)
                seen = {answers(directory, workers) for directory in (model, store) for workers in (1, 2)}
                self.assertEqual(len(seen), 1)

    def test_of_a_made_model_its_store_and_a_store_made_at_once(self):
        shape = ["--like", "switch-base-8", "--layers", 2, "--experts", 3, "--dtype", "bf16", "--seed", 4]
        self.assertEqual(run("make-model", self.folder / "model", *shape).returncode, 0)
        self.assertEqual(run("make-model", self.folder / "made", "--store", *shape).returncode, 0)
        store = self.convert(self.folder / "model")
        self.assertEqual((store / "experts.json").read_bytes(), (self.folder / "made" / "experts.json").read_bytes())
        seen = {answers(directory, 2) for directory in (self.folder / "model", store, self.folder / "made")}
        self.assertEqual(len(seen), 1)

    def test_as_the_model_in_the_type_of_the_blocks(self):
        model = CASES / "experts_64" / "model"
        store = self.convert(model, "store", "--dtype", "bf16")
        expected = answers(model, 2, flags=["--dtype", "bf16"])
        self.assertEqual(answers(store, 2), expected)
        self.assertEqual(answers(store, 2, flags=["--dtype", "bf16"]), expected)
        refused = run("generate", "--model", store, "--dtype", "fp32", "--input-ids", "5,1")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("sida convert --dtype fp32", refused.stderr)

    @unittest.skipUnless((DEMO / "model.safetensors").exists(), "the demo model is not here")
    def test_of_the_demo_model_with_its_predictor(self):
        store = self.convert(DEMO)
        question = ["--prompt", "topic: a large ship that carries goods across the sea", "--show-experts", "--json"]
        seen = set()
        for model in (DEMO, store):
            for workers in (1, 2):
                done = run("generate", "--model", model, "--workers", workers, *question)
                self.assertEqual(done.returncode, 0, done.stderr)
                answer = json.loads(done.stdout)
                self.assertGreater(answer["routing"]["predicted"], 0)
                seen.add(json.dumps([answer["token_ids"], answer["text"], answer["experts"]["encoder"],
                                     answer["experts"]["decoder"]]))
        self.assertEqual(len(seen), 1)

    def test_of_safetensors_written_anew(self):
        model = CASES / "pickle_sharded" / "model"
        written = self.convert(model, "written", "--format", "safetensors")
        self.assertEqual(answers(written, 1), answers(model, 1))


class Damage(StoreTest):
    def worker_exit(self, model):
        done = subprocess.run([PROGRAMS / "sida-expert-worker", "--listen", f"ipc://{self.folder}/w.sock", "--model",
                               model], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr.splitlines()[-1]

    def test_that_shows_at_the_start_ends_the_worker_with_3(self):
        store = self.convert(CASES / "base" / "model")
        whole = self.manifest(store)
        data = store / "experts.bin"

        def damaged(**changes):
            (store / "experts.json").write_text(json.dumps({**whole, **changes}))
            return self.worker_exit(store)

        for changes, said in (({"version": 2}, "version 2"), ({"layout": "amx-tiles"}, "sida convert"),
                              ({"data_bytes": 1}, "'data_bytes' is 1"), ({"stride_bytes": 2**63}, "'stride_bytes'"),
                              ({"d_model": -1}, "negative"), ({"model": "0" * 64}, "another model")):
            with self.subTest(changes=changes):
                code, line = damaged(**changes)
                self.assertEqual(code, 3, line)
                self.assertIn("experts.json", line)
                self.assertIn(said, line)
        self.assertEqual(run("check", "--model", store).returncode, 3)
        (store / "experts.json").write_text(json.dumps(whole))
        with open(data, "r+b") as file:
            file.truncate(data.stat().st_size - 4096)
        code, line = self.worker_exit(store)
        self.assertEqual(code, 3)
        self.assertRegex(line, r"^error: invalid_model: .*experts\.bin: has \d+ bytes instead of \d+")
        data.unlink()
        self.assertEqual(self.worker_exit(store)[0], 3)

    def test_of_some_blocks_sends_their_rows_to_another_worker(self):
        model = CASES / "base" / "model"
        store = self.convert(model)
        damaged = self.folder / "damaged"
        shutil.copytree(store, damaged)
        whole = self.manifest(store)
        for block in range(1, len(whole["checksums"])):  # The first one is read at the start.
            flip_a_bit(damaged / "experts.bin", block * whole["stride_bytes"] + 100)
        expected = answers(model, 1)
        with Cluster(model, workers=2, worker_models=[damaged, store]) as cluster:
            for prompt in id_prompts(model, 4, seed=3):
                cluster.complete(prompt)
            worker = cluster.workers[0]
            line = worker.wait_for_line(r"expert not loaded .*")[0]
            self.assertRegex(line, r"damaged/experts\.bin: expert \d+ of MoE layer \d+: its checksum is wrong.*sida convert")
        self.assertEqual(answers(model, 2, worker_models=[damaged, store]), expected)

    def test_of_all_workers_gives_an_error_and_no_answer(self):
        store = self.convert(CASES / "base" / "model")
        manifest = self.manifest(store)
        for block in range(1, len(manifest["checksums"])):
            flip_a_bit(store / "experts.bin", block * manifest["stride_bytes"])
        with Cluster(store, workers=1) as cluster:
            with self.assertRaisesRegex(AssertionError, "answered 50"):
                cluster.complete([5, 6, 7, 1])
            self.assertEqual(cluster.get("/v1/models")[0], 200)

    def test_is_found_by_check(self):
        store = self.convert(CASES / "base" / "model")
        self.assertEqual(run("check", "--model", store, "--blocks").returncode, 0)
        flip_a_bit(store / "experts.bin", self.manifest(store)["stride_bytes"])
        self.assertEqual(run("check", "--model", store).returncode, 0)
        found = run("check", "--model", store, "--blocks")
        self.assertEqual(found.returncode, 3)
        self.assertIn("expert 1 of MoE layer 0", found.stderr)

    def test_a_store_deleted_while_it_is_served_still_answers(self):
        model = CASES / "base" / "model"
        store = self.convert(model)
        manifest = self.manifest(store)
        memory = 4 * manifest["stride_bytes"]  # Two slots, and two blocks that are being read.
        expected = answers(model, 1)
        with Cluster(store, workers=1, worker_flags=["--expert-memory", memory]) as cluster:
            shutil.rmtree(store)
            found = [what_must_not_change(cluster.complete(prompt)) for prompt in id_prompts(model, 4, seed=3)]
            self.assertEqual(json.dumps(found), json.dumps(json.loads(expected)[0]))


class Convert(StoreTest):
    def test_names_what_is_wrong_and_what_to_do(self):
        model = CASES / "base" / "model"
        (self.folder / "there").mkdir()
        (self.folder / "file").write_text("x")
        for source, destination, code, said in (
                (model, self.folder / "there", 2, "exists already; remove it or name another place"),
                (model, self.folder / "file" / "store", 1, "name a place that you may write to"),
                (self.folder / "nowhere", self.folder / "store", 1, "no such model directory")):
            with self.subTest(destination=destination):
                done = run("convert", source, destination)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)
                self.assertIn(said, done.stderr)

    def test_goes_on_after_it_was_killed(self):
        shape = ["--like", "switch-base-8", "--layers", 4, "--experts", 16]
        whole = self.folder / "whole"
        self.assertEqual(run("make-model", whole, "--store", *shape).returncode, 0)
        for number in (signal.SIGKILL, signal.SIGINT):
            destination = self.folder / number.name
            child = subprocess.Popen([SIDA, "make-model", destination, "--store", *map(str, shape)],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            data = self.folder / f"{number.name}.partial" / "experts.bin"
            while child.poll() is None and not (data.exists() and data.stat().st_size > 0):
                pass
            child.send_signal(number)
            said = child.communicate()[1]
            self.assertFalse(destination.exists(), "it was quicker than the signal")
            if number == signal.SIGINT:
                self.assertEqual(child.returncode, 1)
                self.assertIn("the same command goes on", said)
            done = run("make-model", destination, "--store", *shape)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual((destination / "experts.json").read_bytes(), (whole / "experts.json").read_bytes())
            self.assertFalse(data.parent.exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
