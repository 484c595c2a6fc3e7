"""`sida bench`: the keys that others rely on, what must be true of any machine's figures, and what it refuses."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

from cluster import PROGRAMS
from serve import run

DEMO = pathlib.Path(__file__).resolve().parents[2] / "models" / "demo"
LIBRARIES = {"at::linear", "onednn", "at::linear expert", "onednn expert"}


def kernels():
    done = subprocess.run([PROGRAMS / "sida", "version", "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["cpu_kernels"]


class Kernel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "kernel.json"
            cls.done = run("bench", "kernel", "--rows", "1,3", "--rounds", "1", "--memory", "64MiB", "--weights", "32MiB",
                           "--json", out)
            assert cls.done.returncode == 0, cls.done.stderr
            cls.report = json.loads(out.read_text())

    def test_every_kernel_and_library_is_there_once_per_dtype_and_number_of_rows(self):
        expected = sorted((kernel, dtype, rows) for kernel in {*kernels(), "expert", *LIBRARIES}
                          for dtype in ("bf16", "fp32") for rows in (1, 3))
        self.assertEqual(sorted((row["kernel"], row["dtype"], row["rows"]) for row in self.report["rows"]), expected)

    def test_figures_agree_with_each_other(self):
        for row in self.report["rows"]:
            size = {"bf16": 2, "fp32": 4}[row["dtype"]] * 3072 * 768 * (2 if row["layer"] == "expert" else 1)
            self.assertAlmostEqual(row["gb_per_s"], size / row["microseconds"] / 1e3, delta=0.01 * row["gb_per_s"] + 0.001)
            self.assertAlmostEqual(row["share"], row["gb_per_s"] / row["memory_gb_per_s"], delta=0.002)
            self.assertGreater(row["memory_gb_per_s"], 0.1)
            self.assertLessEqual(row["microseconds_min"], row["microseconds"])
            self.assertGreater(row["speedup_over_linear"], 0)
            if row["kernel"] in ("at::linear", "at::linear expert"):
                self.assertEqual(row["speedup_over_linear"], 1)

    def test_every_rate_has_its_share_of_the_peak(self):
        for row in self.report["rows"]:
            if row["peak_share"] is not None:
                self.assertGreater(row["peak_share"], 0, row)

    def test_markdown_tells_every_row(self):
        lines = [line for line in self.done.stdout.splitlines() if line.startswith("| ") and "µs" not in line]
        self.assertEqual(len([line for line in lines if "---" not in line]), len(self.report["rows"]))

    def test_one_kernel_and_dtype_can_be_picked(self):
        done = run("bench", "kernel", "--rows", "1", "--rounds", "1", "--memory", "16MiB", "--weights", "1MiB", "--dtype",
                   "fp32", "--kernel", "scalar", "--threads", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| scalar | 1 |", done.stdout)
        self.assertNotIn("bf16", done.stdout)


class Transport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "transport.json"
            cls.done = run("bench", "transport", "--rows", "1,512", "--rounds", "1", "--trips", "5", "--json", out)
            assert cls.done.returncode == 0, cls.done.stderr
            cls.report = json.loads(out.read_text())

    def test_every_channel_is_there_once_per_number_of_rows(self):
        found = sorted((point["channel"], point["rows"], point["payload_bytes"]) for point in self.report["points"])
        self.assertEqual(found, sorted((channel, rows, rows * 1536) for channel in ("in-process", "ipc", "shared memory", "tcp")
                                       for rows in (1, 512)))

    def test_figures_agree_with_each_other(self):
        self.assertGreater(self.report["limits"]["wake_us"], 0)
        for point in self.report["points"]:
            times = point["round_trip_us"]
            self.assertLessEqual(times["p50"], times["p95"])
            self.assertLessEqual(times["p95"], times["p99"])
            rate = 2 * point["payload_bytes"] / times["p50"] / 1e3
            self.assertAlmostEqual(point["gb_per_s"], rate, delta=0.01 * rate + 0.001)
            share = point["gb_per_s"] / self.report["limits"]["copy_gb_per_s"]
            self.assertAlmostEqual(point["share_of_copy"], share, delta=0.01 * share + 0.001)

    def test_markdown_tells_every_point(self):
        self.assertEqual(sum(line.startswith(("| in-process", "| ipc", "| shared memory", "| tcp")) for line in self.done.stdout.splitlines()),
                         len(self.report["points"]))


class Offload(unittest.TestCase):
    """The demo model in a quarter of its memory."""

    POLICIES = ("resident", "demand", "lru", "table", "oracle")

    @classmethod
    def setUpClass(cls):
        if not (DEMO / "model.safetensors").exists():
            raise unittest.SkipTest("models/demo is not there")
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "offload.json"
            cls.done = run("bench", "offload", "--model", DEMO, "--policies", ",".join(cls.POLICIES), "--budgets", "25",
                           "--texts", "short", "--rounds", "1", "--requests", "3", "--warm-up", "1", "--max-new-tokens", "4",
                           "--memory", "64MiB", "--disk", "16MiB", "--json", out, "--svg", f"{out}.svg")
            assert cls.done.returncode == 0, cls.done.stderr
            cls.report = json.loads(out.read_text())
            cls.picture = pathlib.Path(f"{out}.svg").read_text()

    def points(self, phase):
        return {point["policy"]: point for point in self.report["points"] if point["phase"] == phase}

    def test_every_policy_and_phase_is_there_once(self):
        found = sorted((point["policy"], point["phase"], point["text"], point["model"]) for point in self.report["points"])
        self.assertEqual(found, sorted((policy, phase, "short", "demo") for policy in self.POLICIES
                                       for phase in ("encode", "decode")))

    def test_what_others_rely_on_is_there(self):
        for limit in ("disk_gb_per_s", "memory_gb_per_s"):
            self.assertGreater(self.report["limits"][limit], 0)
        for point in self.report["points"]:
            for key in ("budget_share", "throughput", "bytes_read", "hits", "misses", "late", "wasted", "peak_bytes"):
                self.assertGreaterEqual(point[key], 0, key)
            latency = point["latency_ms"]
            self.assertGreater(latency["p50"], 0)
            self.assertLessEqual(latency["p50"], latency["p95"])
            self.assertLessEqual(latency["p95"], latency["p99"])

    def test_every_request_is_counted(self):
        for point in self.points("encode").values():
            self.assertEqual(point["items"], 3)
        for point in self.points("decode").values():
            self.assertEqual(point["items"], 3 * 3)

    def test_all_policies_need_the_same_experts(self):
        for phase in ("encode", "decode"):
            # Not always to the last one: rows of a worker that a busy machine holds up are sent again.
            needed = [point["hits"] + point["misses"] for point in self.points(phase).values()]
            self.assertLess(max(needed), 1.2 * min(needed))

    def test_only_what_is_not_resident_is_read(self):
        for point in self.points("encode").values():
            if point["policy"] == "resident":
                self.assertEqual((point["misses"], point["bytes_read"], point["bytes_waited"]), (0, 0, 0))
            else:
                self.assertGreater(point["bytes_waited"], 0)
                self.assertGreaterEqual(point["bytes_read"], point["bytes_waited"])

    def test_more_memory_waits_for_less(self):
        points = self.points("encode")
        self.assertLessEqual(points["lru"]["misses"], points["demand"]["misses"])
        self.assertEqual(points["lru"]["budget_share"], 0.25)

    def test_budgets_are_kept(self):
        points, expert_bytes = self.points("encode"), self.report["model"]["experts_bytes"]
        self.assertGreater(points["resident"]["peak_bytes"], expert_bytes)
        # Without the experts that do not fit, and what the processes take besides experts is the same in both.
        self.assertLess(points["lru"]["peak_bytes"], points["resident"]["peak_bytes"])

    def test_memory_saved_is_of_the_encoders_experts(self):
        (memory,) = self.report["memory"]
        self.assertAlmostEqual(memory["saved_percent"], 100 * (1 - memory["experts"] / memory["experts_of"]), delta=0.01)
        self.assertGreater(memory["saved_percent"], 0)

    def test_the_picture_is_well_formed_and_has_every_budget(self):
        root = xml.etree.ElementTree.fromstring(self.picture)
        dots = root.findall("{http://www.w3.org/2000/svg}circle")
        budgeted = [point for point in self.report["points"] if point["policy"] in ("lru", "table", "oracle")]
        self.assertEqual(len(dots), len(budgeted))

    def test_markdown_tells_every_point(self):
        lines = [line for line in self.done.stdout.splitlines() if line.startswith(tuple(f"| {p} |" for p in self.POLICIES))]
        self.assertEqual(len(lines), len(self.report["points"]))


class Refusals(unittest.TestCase):
    def expect(self, code, words, message):
        done = run("bench", *words)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(message, done.stderr)

    def test_what_cannot_be_measured(self):
        self.expect(2, ["magic"], "cannot measure 'magic'")

    def test_a_kernel_that_is_not_here(self):
        self.expect(2, ["kernel", "--rounds", "1", "--memory", "1MiB", "--weights", "1MiB", "--kernel", "mmx"], "mmx")

    def test_rows_out_of_range(self):
        self.expect(2, ["kernel", "--rows", "0"], "rows must be from 1 to 4096")

    def test_a_policy_that_is_none(self):
        self.expect(2, ["offload", "--model", DEMO, "--policies", "mru"], "'mru' is no policy")

    def test_a_budget_out_of_range(self):
        self.expect(2, ["offload", "--model", DEMO, "--budgets", "0"], "budgets must be from 1 to 100")

    def test_a_kind_of_text_that_is_not_there(self):
        self.expect(2, ["offload", "--model", DEMO, "--texts", "poem"], "task 'poem'")

    def test_a_file_that_cannot_be_written(self):
        self.expect(1, ["kernel", "--rows", "1", "--rounds", "1", "--memory", "1MiB", "--weights", "1MiB", "--dtype", "fp32",
                        "--kernel", "scalar", "--json", "/nowhere/at/all.json"], "/nowhere/at/all.json")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
