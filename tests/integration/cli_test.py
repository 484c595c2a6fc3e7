"""The `sida` command with real processes: its outputs, its exit codes, and that it leaves nothing behind."""

import json
import os
import pathlib
import re
import signal
import socket
import tempfile
import time
import unittest

from cluster import READY_TIMEOUT_S, SOURCE, Process
from serve import SIDA, Serve, run
from token_table import write_table

MODEL = SOURCE / "tests" / "golden" / "cases" / "base" / "model"


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class RunningCluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.serve = Serve(MODEL)

    @classmethod
    def tearDownClass(cls):
        cls.serve.stop()

    def test_generate_prints_one_json_object(self):
        done = run("generate", "--url", self.serve.url, "--input-ids", "5,6,7,1", "--max-new-tokens", 4,
                   "--min-new-tokens", 4, "--json", "--show-experts")
        self.assertEqual(done.returncode, 0, done.stderr)
        output = json.loads(done.stdout)
        self.assertEqual(output["input_ids"], [5, 6, 7, 1])
        self.assertEqual(len(output["token_ids"]), 4)
        self.assertEqual(output["usage"]["completion_tokens"], 4)
        self.assertEqual(output["routing"]["mode"], "exact")
        self.assertTrue(all(len(layer) == 4 for layer in output["experts"]["encoder"]))
        self.assertTrue(all(len(layer) == 4 for layer in output["experts"]["decoder"]))
        served = sum(len(experts) for experts in output["experts"]["by_worker"].values())
        self.assertGreater(served, 0)

    def test_generate_is_greedy_and_repeatable_by_default(self):
        first, second = (run("generate", "--url", self.serve.url, "--input-ids", "5,6,7,1").stdout for _ in range(2))
        self.assertIn("token ids: [", first)
        self.assertEqual(first, second)

    def test_score_prints_a_logprob_per_target_token(self):
        done = run("score", "--url", self.serve.url, "--input-ids", "5,6,1", "--target-ids", "7,8,1", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        output = json.loads(done.stdout)
        self.assertEqual(len(output["logprobs"]), 3)
        self.assertGreater(output["perplexity"], 1)

    def test_score_of_a_file_gives_a_result_per_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write('{"input_ids": [5, 1], "target_ids": [7, 1]}\n{"input_ids": [6, 1], "target_ids": [8]}\n')
            file.flush()
            output = json.loads(run("score", "--url", self.serve.url, "--file", file.name, "--json").stdout)
        self.assertEqual([len(result["logprobs"]) for result in output["results"]], [2, 1])
        self.assertEqual(len(output["logprobs"]), 3)

    def test_status_has_the_keys_that_others_rely_on(self):
        status = self.serve.status()
        for key in ("name", "role", "pid", "address", "state"):
            self.assertIn(key, status["processes"][0])
        for key in ("experts_resident", "memory_bytes", "memory_budget_bytes"):
            self.assertIn(key, status["workers"][0])
        self.assertIn("agreement", status)
        self.assertIn("hit_rate", status)
        self.assertIn("worker-0", run("status", "--url", self.serve.admin_url).stdout)

    def test_an_empty_prompt_is_a_prompt(self):
        done = run("generate", "--url", self.serve.url, "--prompt", "", "--json")
        # This model has no tokeniser; what counts is that the router is asked, as over HTTP.
        self.assertRegex(done.stderr, r"no tokenizer: send token ids")

    def test_what_the_router_refuses_is_one_line_and_exit_code_2(self):
        done = run("generate", "--url", self.serve.url, "--input-ids", "99999999")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"\Aerror: invalid_argument: .*\n\Z")

    def test_of_two_that_start_on_one_port_the_second_fails_at_once(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        first = Process("first", [SIDA, "serve", "--model", MODEL, "--port", port, "--admin-port", 0])
        try:
            first.wait_for_line(r"worker-0")  # Its router has not bound the port yet, or has just done so.
            begun = time.monotonic()
            done = run("serve", "--model", MODEL, "--port", port, "--admin-port", "0")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, rf"\Aerror: io: port {port} of 127.0.0.1: .*\n\Z")
            self.assertLess(time.monotonic() - begun, 5)
            first.wait_for_line(r"^ready: ")
        finally:
            first.stop()

    def test_a_taken_port_is_named(self):
        port = self.serve.url.rsplit(":", 1)[1]
        done = run("serve", "--model", MODEL, "--port", port, "--admin-port", "0")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"\Aerror: io: port {port} of 127.0.0.1: .*--port.*\n\Z")


class Supervision(unittest.TestCase):
    def test_a_killed_worker_is_started_again(self):
        serve = Serve(MODEL)
        try:
            old = self.pid_of(serve, "worker-1")
            os.kill(old, signal.SIGKILL)
            serve.wait_for_line(r"worker-1 +\| ended by signal 9")
            new = old
            deadline = time.monotonic() + READY_TIMEOUT_S
            while new == old and time.monotonic() < deadline:
                found = serve.processes().get("worker-1", {})
                new = found.get("pid", old) if found.get("state") == "ready" else old
            self.assertNotEqual(new, old)
            self.assertTrue(is_running(new))
        finally:
            serve.stop()

    def test_a_worker_that_cannot_be_started_is_shown_as_failed_while_the_other_serves(self):
        serve = Serve(MODEL)
        try:
            worker = serve.processes()["worker-1"]
            path = pathlib.Path(worker["address"].removeprefix("ipc://"))
            path.rename(path.with_name("away"))
            path.mkdir()  # Where the next worker-1 wants its socket.
            (path / "file").touch()
            os.kill(worker["pid"], signal.SIGKILL)
            serve.wait_for_line(r"worker-1 +\| failed: ")
            deadline = time.monotonic() + READY_TIMEOUT_S
            while serve.processes()["worker-1"]["state"] != "failed" and time.monotonic() < deadline:
                time.sleep(0.05)
            failed = serve.processes()["worker-1"]
            self.assertEqual(failed["state"], "failed")
            self.assertIn(path.name, failed["detail"])
            done = run("generate", "--url", serve.url, "--input-ids", "5,6,7,1", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
        finally:
            serve.stop()

    def test_sigterm_and_sigint_end_every_process(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            serve = Serve(MODEL)
            pids = [process["pid"] for process in serve.processes().values()]
            folder = re.search(r"ipc://(\S+)/worker-0.sock", "\n".join(map(str, serve.processes().values())))[1]
            serve.signal(number)
            self.assertEqual(serve.child.wait(READY_TIMEOUT_S), 0)
            self.assertEqual([pid for pid in pids if is_running(pid)], [])
            self.assertFalse(pathlib.Path(folder).exists())

    def test_killing_serve_leaves_no_orphans(self):
        serve = Serve(MODEL)
        pids = [process["pid"] for process in serve.processes().values()]
        serve.signal(signal.SIGKILL)
        serve.child.wait()
        # The pipe that all of them write to closes when the last has ended.
        with serve.changed:
            self.assertTrue(serve.changed.wait_for(lambda: serve.child.stdout.closed, READY_TIMEOUT_S))
        # A process closes its files a moment before it has ended.
        deadline = time.monotonic() + READY_TIMEOUT_S
        while any(map(is_running, pids)) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual([pid for pid in pids if is_running(pid)], [])

    def test_the_folder_of_a_killed_serve_is_removed_by_the_next(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {"TMPDIR": folder}
            foreign = pathlib.Path(folder) / "sida-abcdef"
            foreign.mkdir()  # Nobody's: it has no owner.
            killed = Serve(MODEL, environment=environment)
            left = [path for path in pathlib.Path(folder).iterdir() if path != foreign]
            killed.signal(signal.SIGKILL)
            killed.child.wait()
            self.assertEqual([path.exists() for path in left], [True])
            alive = Serve(MODEL, environment=environment)
            try:
                now = set(pathlib.Path(folder).iterdir())
                self.assertEqual(len(now - {foreign}), 1)
                self.assertNotIn(left[0], now)
                self.assertIn(foreign, now)
                # One that runs keeps its folder.
                Serve(MODEL, environment=environment).stop()
                self.assertEqual(set(pathlib.Path(folder).iterdir()), now)
            finally:
                alive.stop()

    @staticmethod
    def pid_of(serve, name):
        return serve.processes()[name]["pid"]


class PrivateClusterOfAVerb(unittest.TestCase):
    def test_generate_starts_and_ends_a_cluster_of_its_own(self):
        done = run("generate", "--model", MODEL, "--input-ids", "5,6,7,1", "--max-new-tokens", 3, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLessEqual(len(json.loads(done.stdout)["token_ids"]), 3)

    def test_routing_by_the_table_reaches_the_router_and_is_told(self):
        with write_table(MODEL, seed=1) as table:
            flags = ["--model", MODEL, "--predictor", table, "--routing", "predicted", "--predicted-top-k", 2, "--predicted-weights",
                     "renormalised", "--table-wait", "30s", "--input-ids", "5,6,7,1", "--json"]
            generated = json.loads(run("generate", *flags, "--max-new-tokens", 3).stdout)["routing"]
            scored = json.loads(run("score", *flags, "--target-ids", "7,8,1").stdout)["routing"]
        for routing in (generated, scored):
            self.assertEqual((routing["mode"], routing["late"]), ("predicted", 0))
            self.assertEqual(routing["by_table"], routing["routed"])
            self.assertEqual(sum(routing["rows_by_worker"].values()), 2 * routing["routed"])

    def test_an_invalid_model_is_exit_code_3_and_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "config.json").write_text("{")
            for verb in (["generate", "--input-ids", "5,1"], ["check"]):
                done = run(*verb, "--model", folder)
                self.assertEqual(done.returncode, 3, (verb, done.stderr))
                self.assertRegex(done.stderr, r"\Aerror: invalid_model: .*config\.json.*\n\Z")


    def test_a_predictor_of_another_model_is_exit_code_3_as_of_check(self):
        predictor = SOURCE / "models" / "demo" / "predictor"
        for verb in (["generate", "--input-ids", "5,1"], ["check"]):
            done = run(*verb, "--model", MODEL, "--predictor", predictor)
            self.assertEqual(done.returncode, 3, (verb, done.stderr))
            self.assertRegex(done.stderr, r"\Aerror: invalid_model: .*made for model.*\n\Z")


class WithoutACluster(unittest.TestCase):
    def test_a_url_and_a_model_exclude_each_other(self):
        for verb in (["generate"], ["score", "--target-ids", "5"]):
            done = run(*verb, "--input-ids", "5", "--url", "http://127.0.0.1:9", "--model", MODEL)
            self.assertEqual(done.returncode, 2)
            self.assertIn("not both", done.stderr)
            self.assertEqual(run(*verb, "--input-ids", "5", "--url", "http://127.0.0.1:9", SIDA_MODEL="x").returncode, 1)

    def test_a_model_of_no_layers_is_a_usage_error(self):
        for flag in ("--layers", "--experts"):
            done = run("make-model", "/nowhere/model", flag, "0")
            self.assertEqual(done.returncode, 2)
            self.assertIn(flag, done.stderr)

    def test_usage_errors_are_told_together_with_exit_code_2(self):
        done = run("serve", "--modle", "x", "--workers", "many")
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean --model?", done.stderr)
        self.assertIn("--workers: 'many' is not a whole number", done.stderr)
        self.assertIn("--model DIR is missing", done.stderr)
        self.assertEqual(run("sreve").returncode, 2)

    def test_print_config_tells_where_values_come_from(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("workers: 3\n")
            file.flush()
            done = run("serve", "--model", "x", "--config", file.name, "--print-config", SIDA_DTYPE="bf16")
        self.assertEqual(done.returncode, 0, done.stderr)
        for line in ("model: 'x'  # flag", "dtype: 'bf16'  # environment", "workers: '3'  # file",
                     "port: '8000'  # default"):
            self.assertIn(line, done.stdout.splitlines())

    def test_a_made_model_passes_the_check(self):
        with tempfile.TemporaryDirectory() as folder:
            made = pathlib.Path(folder) / "model"
            done = run("make-model", made, "--like", "switch-base-8", "--experts", 2, "--layers", 2)
            self.assertEqual(done.returncode, 0, done.stderr)
            found = json.loads(run("check", "--model", made, "--json").stdout)
            self.assertEqual(found["experts_per_layer"], 2)
            self.assertEqual(found["dtype"], "bf16")

    def test_nobody_there_is_exit_code_1(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            done = run("status", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Aerror: unavailable: .*sida serve.*\n\Z")

    def test_version_tells_kernels(self):
        found = json.loads(run("version", "--json").stdout)
        self.assertEqual(found["cpu_kernels"][-1], "scalar")


if __name__ == "__main__":
    unittest.main(verbosity=2)
