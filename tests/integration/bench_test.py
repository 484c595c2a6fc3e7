"""`sida bench`: the keys that others rely on, what must be true of any machine's figures, and what it refuses."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from cluster import PROGRAMS
from serve import run

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

    def test_nothing_computes_faster_than_registers_allow(self):
        shares = [row["peak_share"] for row in self.report["rows"] if row["peak_share"] is not None]
        self.assertTrue(all(0 < share < 1.5 for share in shares), shares)

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
        self.assertEqual(found, sorted((channel, rows, rows * 1536) for channel in ("in-process", "ipc", "tcp")
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
        self.assertEqual(sum(line.startswith(("| in-process", "| ipc", "| tcp")) for line in self.done.stdout.splitlines()),
                         len(self.report["points"]))


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

    def test_a_file_that_cannot_be_written(self):
        self.expect(1, ["kernel", "--rows", "1", "--rounds", "1", "--memory", "1MiB", "--weights", "1MiB", "--dtype", "fp32",
                        "--kernel", "scalar", "--json", "/nowhere/at/all.json"], "/nowhere/at/all.json")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
