"""The `sida` command, for tests: one call, and a cluster under `sida serve`."""

import json
import os
import subprocess

from cluster import PROGRAMS, READY_TIMEOUT_S, Process

SIDA = PROGRAMS / "sida"


def run(*arguments, **environment):
    return subprocess.run([SIDA, *map(str, arguments)], capture_output=True, text=True, timeout=READY_TIMEOUT_S,
                          env={**os.environ, **environment})


class Serve(Process):
    """`sida serve` on free ports, ready; url and admin_url tell where."""

    def __init__(self, model, *flags, environment=None):
        super().__init__("serve", [SIDA, "serve", "--model", model, "--port", "0", "--admin-port", "0", *flags],
                         environment)
        try:
            found = self.wait_for_line(r"^ready: (\S+) dashboard (\S+)$")
        except BaseException:
            self.stop()
            raise
        self.url, self.admin_url = found[1], found[2]

    def status(self):
        return json.loads(run("status", "--url", self.admin_url, "--json").stdout)

    def processes(self):
        return {process["name"]: process for process in self.status()["processes"]}
