"""docs/deployment.md, sizing.md and failure_modes.md say what is so: commands run, paths, tests and metrics exist, and the
arithmetic is that of the models."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import sizing
import tools

PROGRAMS = pathlib.Path(os.environ.get("SIDA_PROGRAMS", tools.SOURCE / "build" / "release" / "bin"))
DOCS = tools.SOURCE / "docs"
PAGES = ("deployment.md", "sizing.md", "failure_modes.md")


def read(page):
    return (DOCS / page).read_text()


def metrics_named(text):
    return set(re.findall(r"\b(sida_[a-z_]+)\b", text))


class Documents(unittest.TestCase):
    def test_the_commands_run(self):
        path = f"{tools.folder() / 'programs' / 'bin'}:{PROGRAMS}:{os.environ['PATH']}"
        blocks = re.findall(r"```sh\n(.*?)```", read("deployment.md"), re.DOTALL)
        self.assertGreaterEqual(len(blocks), 3)
        with tempfile.TemporaryDirectory() as folder:
            for block in blocks:
                done = subprocess.run(["bash", "-euc", block.replace("/tmp/sida-docs", f"{folder}/docs")], capture_output=True,
                                      text=True, cwd=tools.SOURCE, env={**os.environ, "PATH": path}, timeout=300)
                self.assertEqual(done.returncode, 0, block + done.stdout + done.stderr)

    def test_every_path_is_there(self):
        for page in PAGES:
            for path in re.findall(r"(?<![\w/-])((?:deploy|k8s|docs|models|tests)/[\w./-]*\w)", read(page)):
                self.assertTrue(list(tools.SOURCE.glob(path)), f"{page}: {path}")

    def test_every_test_of_the_failure_modes_exists(self):
        listed = subprocess.run(["ctest", "--test-dir", PROGRAMS.parent, "-N"], capture_output=True, text=True, timeout=60)
        there = set(re.findall(r"(?m)Test +#\d+: (\S+)", listed.stdout))
        named = {name for name in re.findall(r"`((?:integration|deploy|unit|sim)_\w+)`", read("failure_modes.md"))}
        self.assertGreater(len(named), 5)
        self.assertEqual(named - there, set())

    def test_every_metric_exists(self):
        known = metrics_named(read("metrics.md"))
        for page in PAGES:
            self.assertEqual(metrics_named(read(page)) - known, set(), page)

    def test_the_sizes_are_those_of_the_models(self):
        self.assertIn("\n" + sizing.table() + "\n", read("sizing.md"))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
