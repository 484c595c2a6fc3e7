"""The commands in docs/api.md work as they stand, against `sida serve` with the demo model."""

import re
import shutil
import signal
import subprocess
import sys
import unittest

from cluster import COMMANDS_TIMEOUT_S, PROGRAMS, SOURCE, STOP_TIMEOUT_S, Process


class Documents(unittest.TestCase):
    def test_the_commands_of_the_api_page_work(self):
        if not shutil.which("curl"):
            self.skipTest("curl is not installed")
        blocks = re.findall(r"```sh\n(.*?)```", (SOURCE / "docs" / "api.md").read_text(), re.DOTALL)
        self.assertGreaterEqual(len(blocks), 5)
        server = Process("serve", [PROGRAMS / "sida", "serve", "--model", SOURCE / "models" / "demo", "--port", "0",
                                   "--admin-port", "0"])
        try:
            ports = server.wait_for_line(r"ready: http://[^ ]*:(\d+).* http://[^ ]*:(\d+)")
            for block in blocks:
                command = block.replace(":8000", f":{ports[1]}").replace(":8001", f":{ports[2]}")
                done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True,
                                      timeout=COMMANDS_TIMEOUT_S)
                self.assertEqual(done.returncode, 0, command + done.stdout + done.stderr)
                self.assertTrue(done.stdout.strip(), command)
        finally:
            server.signal(signal.SIGINT)
            self.assertEqual(server.child.wait(STOP_TIMEOUT_S), 0)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
