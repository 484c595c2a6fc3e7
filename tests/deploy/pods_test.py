"""The pods of the demo overlay, as processes of this machine: their commands, files, probes and keys as rendered, with
paths in a temporary folder and ports on loopback."""

import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import manifests
import tools
from keys_test import PROGRAMS, variables

sys.path.insert(0, str(tools.SOURCE / "tests" / "integration"))
from cluster import READY_TIMEOUT_S, TIME_SCALE, Process  # noqa: E402

WAIT_S = 30 * TIME_SCALE


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


class Pods(unittest.TestCase):
    def setUp(self):
        tools.folder()
        self.documents = manifests.parse(manifests.overlay_text("cpu-demo"))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sida-pods-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "model").mkdir()
        (self.folder / "store").mkdir()
        self.path = f"{PROGRAMS}:{os.environ['PATH']}"
        self.processes = []
        self.addCleanup(lambda: [process.stop() for process in reversed(self.processes)])

    def here(self, text, run="run", role=""):
        """A pod's text with this machine's places."""
        text = text.replace("/usr/share/sida/models/demo", str(tools.SOURCE / "models" / "demo"))
        text = text.replace("/run/sida", f"{self.folder}/{run}").replace("/etc/sida-keys/api", f"{self.folder}")
        text = text.replace("/etc/sida-keys/link", f"{self.folder}/link-{role}")
        return re.sub(r"(?<![\w/])/(model|store)(?=[/ ])", rf"{self.folder}/\1", text)

    def shell(self, command, run="run"):
        return subprocess.run(["sh", "-c", self.here(command[-1], run)], env={**os.environ, "PATH": self.path},
                              capture_output=True, text=True, timeout=120 * TIME_SCALE)

    def convert(self):
        job = manifests.named(self.documents, "Job", "sida-convert")
        return self.shell(manifests.pod(job)["containers"][0]["command"])

    def start(self, workload, name, replaced=(), **variables_set):
        """The container's program with its file and variables."""
        container = manifests.pod(workload)["containers"][0]
        text = self.here(manifests.config(self.documents, workload)[1], name, manifests.role(workload).removeprefix("expert-"))
        for old, new in replaced:
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.folder / name).mkdir()
        file = self.folder / f"{name}.yaml"
        file.write_text(text)
        environment = {**variables(workload), "SIDA_THREADS": "1", **variables_set}
        process = Process(name, [PROGRAMS / container["command"][0], "--config", file], environment)
        self.processes.append(process)
        return process

    def make_link_keys(self):
        """The Secrets sida-link-ROLE, by the commands of docs/deployment.md."""
        page = (tools.SOURCE / "docs" / "deployment.md").read_text()
        commands = re.search(r"```sh on=keys\n(.*?)```", page, re.DOTALL)[1]
        done = subprocess.run(["bash", "-ec", commands], cwd=self.folder, env={**os.environ, "PATH": self.path},
                              capture_output=True, text=True, timeout=60 * TIME_SCALE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(path.name for path in self.folder.glob("link-*")),
                         ["link-predictor", "link-router", "link-worker"])

    def answers(self, probe, name):
        return self.shell(probe["exec"]["command"], name).returncode == 0

    def wait_until(self, condition, what, timeout=WAIT_S):
        deadline = time.monotonic() + timeout
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.1)

    def test_the_store_is_made_once_and_copied(self):
        self.assertEqual(self.convert().returncode, 0)
        made = (self.folder / "model" / "store" / "experts.json").stat()
        again = self.convert()
        self.assertEqual((again.returncode, again.stdout), (0, ""))
        self.assertEqual((self.folder / "model" / "store" / "experts.json").stat().st_mtime_ns, made.st_mtime_ns)

        pool = manifests.named(manifests.parse(manifests.overlay_text("small-gpus")), "StatefulSet", "sida-worker")
        wait, copy = manifests.pod(pool)["initContainers"]
        self.assertEqual([wait["name"], copy["name"]], ["wait-for-store", "copy-store"])
        self.assertEqual(self.shell(wait["command"]).returncode, 0)
        (self.folder / "store" / "partial").mkdir()  # A copy that was interrupted.
        self.assertEqual(self.shell(copy["command"]).returncode, 0)
        checked = subprocess.run([PROGRAMS / "sida", "check", "--blocks", "--model", self.folder / "store" / "model"],
                                 capture_output=True, text=True, timeout=60 * TIME_SCALE)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertEqual(self.shell(copy["command"]).returncode, 0)
        self.assertFalse((self.folder / "store" / "partial").exists())

    def test_the_overlay_serves_and_its_probes_tell_the_truth(self):
        self.assertEqual(self.convert().returncode, 0)
        (self.folder / "keys").write_text("sesame\n")
        self.make_link_keys()
        first, second, predicting, http_port, admin_port = free_ports(5)
        pool = manifests.named(self.documents, "StatefulSet", "sida-worker")
        worker = self.start(pool, "worker", SIDA_LISTEN=f"tcp://127.0.0.1:{first}")
        self.start(pool, "other", SIDA_LISTEN=f"tcp://127.0.0.1:{second}", SIDA_NAME="sida-worker-1")
        predictor = manifests.named(self.documents, "Deployment", "sida-predictor")
        self.start(predictor, "predictor", SIDA_LISTEN=f"tcp://127.0.0.1:{predicting}", SIDA_NAME="sida-predictor-x")
        router = manifests.named(self.documents, "Deployment", "sida-router")
        process = self.start(router, "router", replaced=(
            ("sida-worker-0.sida-worker:9000", f"127.0.0.1:{first}"), ("sida-worker-1.sida-worker:9000", f"127.0.0.1:{second}"),
            ("sida-predictor:9000", f"127.0.0.1:{predicting}"), ("0.0.0.0", "127.0.0.1")),
            SIDA_PORT=str(http_port), SIDA_ADMIN_PORT=str(admin_port))
        process.wait_for_line('"message":"ready"', READY_TIMEOUT_S)

        def status(path, key=None):
            connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=60)
            try:
                connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
                return connection.getresponse().status
            finally:
                connection.close()

        probes = manifests.pod(router)["containers"][0]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = probes[probe]["httpGet"]["path"]
            self.wait_until(lambda path=path: status(path) == 200, f"{path} is 200")
        self.assertEqual(status("/v1/models"), 401)
        self.assertEqual(status("/v1/models", "sesame"), 200)

        for name, workload in (("worker", pool), ("predictor", predictor)):
            container = manifests.pod(workload)["containers"][0]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                self.wait_until(lambda: self.answers(container[probe], name), f"{name}'s {probe} answers")
        live = manifests.pod(pool)["containers"][0]["livenessProbe"]
        worker.signal(signal.SIGSTOP)
        self.wait_until(lambda: not self.answers(live, "worker"), "a worker that stands still is found")
        self.assertEqual(status("/health"), 200, "the other worker has every expert")
        worker.signal(signal.SIGCONT)
        self.wait_until(lambda: self.answers(live, "worker"), "a worker that goes on is found")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
