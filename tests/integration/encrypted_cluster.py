"""A cluster of real processes whose links are TCP with keys, for tests; and keys, as `sida keys` makes them."""

import os
import pathlib
import shutil
import subprocess

from cluster import PROGRAMS, Cluster, Process


def make_keys(folder, *names):
    command = [PROGRAMS / "sida", "keys", folder]
    for name in names:
        command += ["--name", name]
    subprocess.run(command, check=True, capture_output=True)


def replace(path, text):
    """As operators should: readers see the old file or the new one, never a part."""
    beside = pathlib.Path(f"{path}.new")
    beside.touch(0o600)
    beside.write_text(text)
    os.replace(beside, path)


class EncryptedCluster(Cluster):
    """Each process has a folder of its own: its secret key, and the public keys of those whom it knows."""

    def __init__(self, model, workers=2, host="127.0.0.1", between=None, **options):
        super().__init__(model, workers=workers, **options)
        self.host = host
        self.between = between or (lambda name, endpoint: endpoint)  # Where the router connects instead.
        self.endpoints = {}

    def key_flags(self, name):
        return ["--link-secret-key", self.folder / name / "self.key", "--link-allow", self.folder / name / "peers"]

    def give_keys(self, name, peers):
        (self.folder / name / "peers").mkdir(parents=True)
        shutil.copy2(self.folder / "keys" / f"{name}.key", self.folder / name / "self.key")
        for peer in peers:
            shutil.copy(self.folder / "keys" / f"{peer}.pub", self.folder / name / "peers")

    def public_key(self, name):
        return (self.folder / "keys" / f"{name}.pub").read_text().strip()

    def serve(self, name, program, *flags):
        """Starts a worker or predictor on a free port."""
        process = Process(name, [PROGRAMS / program, "--listen", f"tcp://{self.host}:*", "--name", name,
                                 "--model", self.model, *self.key_flags(name), *flags])
        return process

    def _start(self):
        workers = [f"worker-{index}" for index in range(self.worker_count)]
        predictors = [f"predictor-{index}" for index in range(self.predictor_count)]
        make_keys(self.folder / "keys", "router", *workers, *predictors)
        self.give_keys("router", [*workers, *predictors])
        for name in workers:
            self.give_keys(name, ["router"])
            self.workers.append(self.serve(name, "sida-expert-worker", *self.worker_flags))
        for name in predictors:
            self.give_keys(name, ["router"])
            self.predictors.append(self.serve(name, "sida-predictor", "--predictor", self.predictor_directory))
        router = [PROGRAMS / "sida-router", "--model", self.model, "--port", "0", "--admin-port", "0",
                  *self.key_flags("router")]
        for process in [*self.workers, *self.predictors]:
            ready = process.wait_for_line(r"ready endpoint=(\S+)(?:.* data_endpoint=(\S+))?")
            self.endpoints[process.name] = ready[1]
            self.endpoints[process.name + "-data"] = ready[2]
            flag = "--worker" if process in self.workers else "--predictor-endpoint"
            router += [flag, f"{process.name}={self.between(process.name, ready[1])}"]
        self.router = self.start_router(router + self.router_flags)
        self.wait_until_ready()

    def start_router(self, command):
        return Process("router", command)

    def refused(self, peer, cause):
        return self.metric("sida_peer_refused_total", peer=peer, cause=cause)
