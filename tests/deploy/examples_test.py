"""`sida check` finds nothing wrong with the example deployments, and names file and line of what is wrong with damaged copies."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import tools

PROGRAMS = pathlib.Path(os.environ.get("SIDA_PROGRAMS", tools.SOURCE / "build" / "release" / "bin"))
EXAMPLES = sorted(path for path in (tools.SOURCE / "deploy" / "examples").iterdir() if path.is_dir())
# File, what is replaced, by what, and what is said: the place and a word of the reason.
DAMAGES = (
    ("router.yaml", "shutdown-grace: 30s", "shutdown-grace: 30", "router.yaml: line 7", "shutdown-grace"),
    ("router.yaml", "threads: 2", "thread: 2", "router.yaml: line 6", "unknown key"),
    ("router.yaml", "threads: 2", "threads: two", "router.yaml: line 6", "threads"),
    ("router.yaml", "worker-1=ipc:///run/sida/worker-1.sock", "ipc:///run/sida/worker-1.sock", "router.yaml: ", "NAME=ENDPOINT"),
    ("router.yaml", "worker-1.sock", "worker-2.sock", "router.yaml: line 2", "listens at"),
    ("router.yaml", "worker-1=", "worker-7=", "router.yaml: line 2", "worker-7"),
    ("router.yaml", "  - worker-1=ipc:///run/sida/worker-1.sock\n", "", "worker-1.yaml: line 1", "lists no worker"),
    ("router.yaml", "predictor-0.sock", "oracle.sock", "router.yaml: line 5", "no predictor"),
    ("predictor.yaml", "model: /var/lib/sida/model\n", "", "predictor.yaml: --model", "missing"),
    ("predictor.yaml", "listen: ipc:///run", "listen: run", "predictor.yaml: line 2", "ipc:///PATH"),
    ("worker-0.yaml", "64MiB", "64 megabytes", "worker-0.yaml: line 4", "expert-memory"),
    ("worker-1.yaml", "name: worker-1", "name: worker-0", "worker-1.yaml: line 1", "too"),
    ("worker-1.yaml", "threads: 1", "threads: 1\nthreads: 2", "worker-1.yaml: line 6", "twice"),
    ("worker-1.yaml", "threads: 1", "dtype: fp32", "worker-1.yaml: line 5", "dtype"),
)


def check(*directories):
    return subprocess.run([PROGRAMS / "sida", "check", *directories], capture_output=True, text=True, timeout=60)


class Examples(unittest.TestCase):
    def test_nothing_is_wrong_with_them(self):
        self.assertIn("one-box", [path.name for path in EXAMPLES])
        done = check(*EXAMPLES)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "".join(f"{path}: ok\n" for path in EXAMPLES))

    def test_a_damaged_copy_is_named_by_file_and_line(self):
        one_box = tools.SOURCE / "deploy" / "examples" / "one-box"
        for file, old, new, place, reason in DAMAGES:
            with self.subTest(file=file, damage=new), tempfile.TemporaryDirectory() as folder:
                copy = pathlib.Path(folder) / "copy"
                shutil.copytree(one_box, copy)
                text = (copy / file).read_text()
                self.assertIn(old, text)
                (copy / file).write_text(text.replace(old, new, 1))
                done = check(copy)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(place, done.stderr)
                self.assertIn(reason, done.stderr)
                self.assertTrue(all(line.startswith("error: ") for line in done.stderr.splitlines()), done.stderr)

    def test_a_folder_without_configurations_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(check(folder).returncode, 2)
            (pathlib.Path(folder) / "cluster.yaml").write_text("model: x\n")
            self.assertIn("cluster.yaml: whose is it?", check(folder).stderr)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
