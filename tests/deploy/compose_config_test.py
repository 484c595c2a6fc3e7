"""Compose itself takes the compose file."""

import shutil
import subprocess
import sys
import unittest

import tools

PATH = tools.SOURCE / "deploy" / "compose" / "compose.yaml"


def compose_command():
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


@unittest.skipUnless(compose_command(), "neither docker compose nor docker-compose is installed")
class ComposeConfig(unittest.TestCase):
    def config(self, text):
        return subprocess.run([*compose_command(), "-f", "-", "--project-directory", PATH.parent, "config", "--quiet"],
                              input=text, capture_output=True, text=True, timeout=60)

    def test_compose_takes_it(self):
        done = self.config(PATH.read_text())
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_misspelt_key_is_found(self):
        self.assertNotEqual(self.config(PATH.read_text().replace("stop_grace_period", "stop_grace_perod")).returncode, 0)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
