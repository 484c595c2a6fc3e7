"""Router and predictor on one host, expert-workers on another, the hosts being network namespaces: the same bytes as on one
host, over links with keys; workers found by a host name that stands for several addresses; the network cut and mended."""

import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from cluster import (ANSWER_TIMEOUT_S, PROGRAMS, READY_TIMEOUT_S, SOURCE, STOP_TIMEOUT_S, Cluster, Process,
                     what_must_not_change)
from encrypted_cluster import EncryptedCluster
from namespaces import TwoHosts, ip, require_namespaces

DEMO = SOURCE / "models" / "demo"
PROMPT = "topic: a large ship that carries goods across the sea"


class Apart(EncryptedCluster):
    """The router and the predictor on the first host, workers on the second, each on an address of its own."""

    def __init__(self, hosts, by_name=False, **options):
        super().__init__(DEMO, predictor=DEMO / "predictor", **options)
        self.first, self.second = hosts
        self.by_name = by_name
        self.hosts_file = self.folder / "hosts"

    def serve(self, name, program, *flags):
        host = self.second if name.startswith("worker") else self.first
        address = host.addresses[int(name.rsplit("-", 1)[1])]
        return Process(name, host.command(PROGRAMS / program, "--listen", f"tcp://{address}:5600", "--name", name,
                                          "--model", self.model, *self.key_flags(name), *flags))

    def start_router(self, command):
        return Process("router", self.first.command(*command))

    def exchange(self, port, method, path, body=None):
        with self.first.entered():
            return super().exchange(port, method, path, body)


class OneName(Apart):
    """The router knows its workers by a host name alone, which its own /etc/hosts resolves; they share a key."""

    def names(self, *addresses):
        # In place: it is mounted over the router's /etc/hosts.
        self.hosts_file.write_text("127.0.0.1 localhost\n" + "".join(f"{address} workers\n" for address in addresses))

    def give_keys(self, name, peers):
        super().give_keys(name, peers)
        if name == "router":
            for peer in peers:
                if peer.startswith("worker"):
                    with open(self.folder / "router" / "peers" / "pool.pub", "a") as pool:
                        pool.write((self.folder / "keys" / f"{peer}.pub").read_text())

    def start_router(self, command):
        self.names(*self.second.addresses[:self.worker_count])
        kept, skip = [], False
        for word in command:
            skip = skip or word == "--worker"
            if not skip:
                kept.append(word)
            elif word != "--worker":
                skip = False
        kept += ["--worker", "pool=tcp://workers:5600", "--resolve-every", "100ms"]
        script = f'mount --bind {self.hosts_file} /etc/hosts && exec "$@"'
        return Process("router", self.first.command("unshare", "-m", "sh", "-c", script, "sh", *kept))


class TwoHostsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        require_namespaces()
        with Cluster(DEMO, predictor=DEMO / "predictor") as cluster:
            cls.expected = what_must_not_change(cluster.complete(PROMPT))

    def check(self, cluster):
        choice = cluster.complete(PROMPT)
        self.assertEqual(what_must_not_change(choice), self.expected)
        return choice["routing"]["rows_by_worker"]

    def test_the_answer_is_that_of_one_host(self):
        with TwoHosts() as hosts, Apart(hosts) as cluster:
            self.assertEqual(set(self.check(cluster)), {"worker-0", "worker-1"})
            self.assertEqual(cluster.channels(), ["zeromq", "zeromq"])

    def test_a_name_stands_for_many_workers_and_is_asked_for_again(self):
        with TwoHosts() as hosts, OneName(hosts) as cluster:
            self.assertEqual(set(self.check(cluster)), {"worker-0", "worker-1"})
            # One more address, and a process there.
            cluster.names(*hosts[1].addresses)
            cluster.router.wait_for_line(r"peer found by its name peer=pool@10.0.0.4:5600")
            self.check(cluster)
            # An address less: its process still answers, and keeps its rows until it ends.
            cluster.names(hosts[1].addresses[0])
            cluster.router.wait_for_line(r"peer gone from its name peer=pool@10.0.0.3:5600")
            self.assertEqual(set(self.check(cluster)), {"worker-0", "worker-1"})
            cluster.workers[1].stop()
            cluster.wait_until(lambda: len([process for process in cluster.processes()
                                            if process["role"] == "expert-worker"]) == 1, "it is forgotten")
            self.assertEqual(set(self.check(cluster)), {"worker-0"})

    def test_a_network_that_was_cut_is_used_again_when_it_is_mended(self):
        with TwoHosts() as hosts, Apart(hosts) as cluster:
            self.check(cluster)
            ip("-n", hosts[1].name, "link", "set", "cable", "down")
            cluster.wait_until(lambda: cluster.state_count("expert-worker", "ready") == 0, "the workers are lost")
            ip("-n", hosts[1].name, "link", "set", "cable", "up")
            began = time.monotonic()
            cluster.wait_until(lambda: cluster.state_count("expert-worker", "ready") == 2, "the workers are back")
            print(f"back {time.monotonic() - began:.1f} s after the network", flush=True)
            self.check(cluster)


class SeveralBoxes(unittest.TestCase):
    """The commands of docs/deployment.md, section 'Several boxes', as they stand."""

    def setUp(self):
        require_namespaces()
        text = (SOURCE / "docs" / "deployment.md").read_text()
        self.blocks = re.findall(r"```sh on=(box-[12])\n(.*?)```", text, re.DOTALL)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sida-"))
        self.running = []
        for box in ("box-1", "box-2"):
            (self.folder / box).mkdir()
            (self.folder / box / "models").symlink_to(SOURCE / "models")

    def tearDown(self):
        for child in self.running:
            os.killpg(child.pid, signal.SIGTERM)  # Its own session: the shell and what it started.
        for child in self.running:
            child.wait(STOP_TIMEOUT_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run_block(self, host, box, block):
        environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
        command = host.command("bash", "-ec", block)
        if block.rstrip().endswith("wait"):
            self.running.append(subprocess.Popen(command, cwd=self.folder / box, env=environment, start_new_session=True))
            return ""
        done = subprocess.run(command, cwd=self.folder / box, env=environment, capture_output=True, text=True,
                              timeout=ANSWER_TIMEOUT_S)
        self.assertEqual(done.returncode, 0, block + done.stdout + done.stderr)
        return done.stdout

    def wait_until_healthy(self, host):
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                with host.entered():
                    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
                    connection.request("GET", "/health")
                    if connection.getresponse().status == 200:
                        return
            except OSError:
                pass
            self.assertLess(time.monotonic(), deadline, "the cluster of the page does not get ready")
            time.sleep(0.1)

    def test_the_commands_work(self):
        self.assertGreaterEqual(len(self.blocks), 4)
        with TwoHosts() as hosts:
            by_box = {"box-1": hosts[0], "box-2": hosts[1]}
            output = ""
            for box, block in self.blocks:
                if box == "box-2":  # What the page copies with scp.
                    shutil.copytree(self.folder / "box-1" / "for-box-2", self.folder / "box-2" / "keys", dirs_exist_ok=True)
                if "sida generate" in block:
                    self.wait_until_healthy(hosts[0])
                output += self.run_block(by_box[box], box, block)
            try:
                self.assertIn("artifact", output)
                self.assertIn("worker-1", output)
            finally:
                self.tearDown()
                self.running = []


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
