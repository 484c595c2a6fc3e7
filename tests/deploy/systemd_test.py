"""The units are ones that systemd takes, leave their processes little, and give them the time that they ask for."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import manifests
import tools

UNITS = tools.SOURCE / "deploy" / "systemd"
ONE_BOX = tools.SOURCE / "deploy" / "examples" / "one-box"
EXPOSURE_MAX = 15  # Of 100, as `systemd-analyze security` counts it; a unit that says nothing has 96.


def analyze(folder, *arguments):
    return subprocess.run(["systemd-analyze", *arguments], cwd=folder, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "SYSTEMD_COLORS": "0"})


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Units(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for unit in UNITS.iterdir():
            # Programs that are there: their paths are part of what is verified.
            (self.folder / unit.name).write_text(re.sub(r"/opt/sida/bin/[a-z-]+", "/bin/true", unit.read_text()))
        self.services = [name.replace("@", "@0") for name in sorted(os.listdir(self.folder)) if name.endswith(".service")]

    def verify(self):
        return analyze(self.folder, "verify", "--man=no", *(f"./{name}" for name in [*self.services, "sida.target"]))

    def test_systemd_takes_them(self):
        done = self.verify()
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_misspelt_setting_is_found(self):
        broken = self.folder / "sida-router.service"
        broken.write_text(broken.read_text().replace("ProtectHome=", "ProtectHomes="))
        self.assertIn("ProtectHomes", self.verify().stderr)

    def exposed(self, service):
        done = analyze(self.folder, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", f"./{service}")
        return done.returncode != 0

    def test_they_leave_their_processes_little(self):
        for service in self.services:
            self.assertFalse(self.exposed(service), service)

    def test_a_unit_that_leaves_more_is_found(self):
        broken = self.folder / "sida-router.service"
        broken.write_text(broken.read_text().replace("CapabilityBoundingSet=\n", "").replace("SystemCallFilter=", "#"))
        self.assertTrue(self.exposed("sida-router.service"))

    def test_they_wait_for_the_grace_of_their_processes(self):
        tools.folder()
        for service, file, grace in (("sida-router.service", "router.yaml", "shutdown-grace"),
                                     ("sida-expert-worker@.service", "worker-0.yaml", "drain-grace")):
            stop = re.search(r"(?m)^TimeoutStopSec=(\d+)$", (UNITS / service).read_text())
            settings = manifests.parse((ONE_BOX / file).read_text())[0]
            self.assertGreaterEqual(int(stop[1]), manifests.seconds(settings[grace]) + 5, service)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
