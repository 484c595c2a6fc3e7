"""`sida status --watch`: on a terminal a screen that is drawn anew, elsewhere lines; Ctrl-C ends it cleanly."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
import unittest

from cluster import READY_TIMEOUT_S, SOURCE, Cluster
from serve import SIDA

MODEL = SOURCE / "tests" / "golden" / "cases" / "base" / "model"
ENTER, LEAVE, HOME = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[H"


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *command):
        self.child, self.descriptor = pty.fork()
        if self.child == 0:
            os.execv(command[0], list(map(str, command)))
        self.shown = b""

    def read_until(self, condition):
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not condition(self.shown):
            if not select.select([self.descriptor], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"not shown: {self.shown[-2000:]!r}")
            try:
                self.shown += os.read(self.descriptor, 1 << 16)
            except OSError:  # The command has ended.
                break

    def type(self, keys):
        os.write(self.descriptor, keys)

    def wait(self):
        self.read_until(lambda shown: False)
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])


class StatusWatch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(MODEL).__enter__()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.command = [SIDA, "status", "--watch", "--interval", "100ms", "--url", f"http://127.0.0.1:{cls.cluster.admin_port}"]

    def test_a_terminal_is_drawn_anew_and_given_back(self):
        terminal = Terminal(*self.command)
        terminal.read_until(lambda shown: shown.count(HOME) >= 3)
        self.assertTrue(terminal.shown.startswith(ENTER))
        self.assertIn(b"worker-1", terminal.shown)
        self.assertNotIn(b"\x1b[2J", terminal.shown)  # Which would flicker.
        terminal.type(b"\x03")
        self.assertEqual(terminal.wait(), 0)
        self.assertTrue(terminal.shown.rstrip().endswith(LEAVE))

    def lines(self, *flags, count=3):
        child = subprocess.Popen([*map(str, self.command), *flags], stdout=subprocess.PIPE, text=True)
        lines = [child.stdout.readline() for _ in range(count)]
        child.send_signal(signal.SIGINT)
        child.stdout.read()
        child.stdout.close()
        self.assertEqual(child.wait(READY_TIMEOUT_S), 0)
        return lines

    def test_elsewhere_there_are_lines(self):
        for line in self.lines():
            self.assertRegex(line, r"^ready  running \d+  waiting \d+  tokens/s (-|[\d.]+)  hit rate .*\n$")

    def test_json_is_an_object_a_line(self):
        for line in self.lines("--json"):
            self.assertTrue(json.loads(line)["ready"])

    def test_it_ends_when_nobody_reads(self):
        child = subprocess.Popen(list(map(str, self.command)), stdout=subprocess.PIPE, text=True)
        child.stdout.readline()
        child.stdout.close()
        self.assertEqual(child.wait(READY_TIMEOUT_S), 0)


class StatusWatchOfARouterThatEnds(unittest.TestCase):
    def test_it_is_told_and_asked_again(self):
        with Cluster(MODEL, workers=1) as cluster:
            terminal = Terminal(SIDA, "status", "--watch", "--interval", "100ms", "--url", f"http://127.0.0.1:{cluster.admin_port}")
            terminal.read_until(lambda shown: HOME in shown)
            cluster.router.signal(signal.SIGKILL)
            terminal.read_until(lambda shown: b"asking again" in shown)
            terminal.type(b"\x03")
            self.assertEqual(terminal.wait(), 0)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
