"""Links with keys between real processes: strangers of every kind are refused and counted, and nothing else is disturbed;
keys are exchanged under load without a failed request."""

import contextlib
import concurrent.futures
import pathlib
import os
import socket
import subprocess
import sys
import threading
import unittest

from cluster import ANSWER_TIMEOUT_S, PROGRAMS, SOURCE, Cluster, what_must_not_change
from encrypted_cluster import EncryptedCluster, make_keys, replace
from prompts import id_prompts

MODEL = SOURCE / "tests" / "golden" / "cases" / "experts_64" / "model"
STRANGER = pathlib.Path(os.environ.get("SIDA_TEST_PROGRAMS", SOURCE / "build" / "release" / "tests")) / "stranger"
AT_A_TIME = 8
OVERSIZED = b"x" * (9 << 20)  # A control link takes 8 MiB.
# An envelope of another version, one cut off in its header, and no envelope.
FOREIGN_VERSION = bytes([0x94, 99, 0, 0x90, 0x90])
TRUNCATED = bytes([0x94, 6, 0, 0x92, 0x93])
NONSENSE = bytes(range(256))


def fingerprint(cluster, prompts, tokens=16):
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        return [what_must_not_change(choice)
                for choice in pool.map(lambda prompt: cluster.complete(prompt, max_tokens=tokens, min_tokens=tokens), prompts)]


class Load:
    """Asks the same prompts again and again in the background; `with` ends it, and then all answers are known."""

    def __init__(self, cluster, prompts):
        self.cluster = cluster
        self.prompts = prompts
        self.answers = []
        self.failures = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(index,)) for index in range(AT_A_TIME)]

    def _ask(self, index):
        while not self.over.is_set():
            prompt = self.prompts[index % len(self.prompts)]
            try:
                choice = self.cluster.complete(prompt, max_tokens=16, min_tokens=16)
                self.answers.append((index % len(self.prompts), what_must_not_change(choice)))
            except Exception as error:  # Whatever it is, the request failed.
                self.failures.append(str(error))
            index += AT_A_TIME

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(ANSWER_TIMEOUT_S)


class Relay:
    """A TCP relay on loopback that keeps what clients send, and can send the last of it once more."""

    def __init__(self, endpoint):
        host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.sent = []  # Of the newest connection, piece by piece.
        self.repeat = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.sent = []
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._pass_on, args=(client, server, self.sent), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, None), daemon=True).start()

    def _pass_on(self, source, target, kept):
        try:
            while piece := source.recv(1 << 16):
                target.sendall(piece)
                if kept is not None:
                    kept.append(piece)
                    if self.repeat.is_set():
                        self.repeat.clear()
                        target.sendall(piece)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class EncryptedLinks(unittest.TestCase):
    def setUp(self):
        self.prompts = id_prompts(MODEL, 24, seed=11)
        with Cluster(MODEL, workers=1) as cluster:  # Over Unix sockets.
            self.expected = fingerprint(cluster, self.prompts)

    def stranger(self, cluster, peer, who, message, link=""):
        return subprocess.run([STRANGER, cluster.endpoints[peer + link], cluster.public_key(peer), who], input=message,
                              capture_output=True, timeout=ANSWER_TIMEOUT_S, check=True).stdout

    def expect_counted(self, cluster, peer, cause, act):
        before = cluster.refused(peer, cause)
        result = act()
        cluster.wait_until(lambda: cluster.refused(peer, cause) > before, f"{peer} counts a {cause}")
        return result

    def check_undisturbed(self, load):
        self.assertEqual(load.failures, [])
        self.assertGreater(len(load.answers), 0)
        for index, answer in load.answers:
            self.assertEqual(answer, self.expected[index])

    def test_strangers_are_refused_and_counted_and_disturb_nobody(self):
        with EncryptedCluster(MODEL) as cluster:
            known = cluster.folder / "router" / "self.key"
            with Load(cluster, self.prompts) as load:
                for link in ("", "-data"):
                    self.expect_counted(cluster, "worker-0", "unknown_key",
                                        lambda: self.assertEqual(b"", self.stranger(cluster, "worker-0", "fresh", NONSENSE, link)))
                    self.expect_counted(cluster, "worker-0", "handshake",
                                        lambda: self.assertEqual(b"", self.stranger(cluster, "worker-0", "plain", NONSENSE, link)))
                for message in (NONSENSE, TRUNCATED, b""):
                    self.expect_counted(cluster, "worker-0", "malformed",
                                        lambda: self.stranger(cluster, "worker-0", known, message))
                # One part where a tensor channel has two.
                self.expect_counted(cluster, "worker-0", "malformed",
                                    lambda: self.stranger(cluster, "worker-0", known, NONSENSE, "-data"))
                told = self.expect_counted(cluster, "worker-0", "malformed",
                                           lambda: self.stranger(cluster, "worker-0", known, FOREIGN_VERSION))
                self.assertIn(b"run the same version of sida everywhere", told)
                self.assertEqual(b"", self.stranger(cluster, "worker-0", known, OVERSIZED))
                with socket.create_connection(("127.0.0.1", int(cluster.endpoints["worker-0"].rsplit(":", 1)[1]))) as raw:
                    raw.settimeout(ANSWER_TIMEOUT_S)
                    raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a" * 100 + b"\r\n\r\n")
                    with contextlib.suppress(ConnectionResetError):
                        while raw.recv(4096):  # ZeroMQ's greeting, and then the end; the library tells nobody of it.
                            pass
                self.assertEqual(cluster.refused("worker-1", "unknown_key"), 0)
            self.check_undisturbed(load)
            self.assertEqual(cluster.state_count("expert-worker", "ready"), 2)
            self.assertIn("connection refused", "\n".join(cluster.workers[0].lines))

    def test_replayed_bytes_are_refused_and_counted(self):
        relays = {}

        def between(name, endpoint):
            relays[name] = Relay(endpoint)
            return relays[name].endpoint

        with EncryptedCluster(MODEL, between=between) as cluster:
            relay = relays["worker-0"]
            with Load(cluster, self.prompts) as load:
                # A whole session that was listened to, from its first byte.
                recorded = b"".join(relay.sent)
                self.assertGreater(len(recorded), 300)  # Past the handshake.
                with socket.create_connection(relay.target) as replayed:
                    self.expect_counted(cluster, "worker-0", "handshake", lambda: replayed.sendall(recorded))
                # One message within its session, twice.
                self.expect_counted(cluster, "worker-0", "handshake", relay.repeat.set)
                cluster.wait_until(lambda: cluster.state_count("expert-worker", "ready") == 2, "the link is back")
            self.check_undisturbed(load)
        for relay in relays.values():
            relay.close()

    def test_keys_are_exchanged_under_load_without_a_failed_request(self):
        with EncryptedCluster(MODEL) as cluster:
            keys, newer = cluster.folder / "keys", cluster.folder / "newer"
            make_keys(newer, "router", "worker-0")
            old = {name: (keys / f"{name}.pub").read_text() for name in ("router", "worker-0")}
            new = {name: (newer / f"{name}.pub").read_text() for name in ("router", "worker-0")}
            with Load(cluster, self.prompts) as load:
                # The router's: known first, then used, then the old one forgotten.
                for worker in cluster.workers:
                    replace(cluster.folder / worker.name / "peers" / "router.pub", old["router"] + new["router"])
                    worker.wait_for_line(r"keys read anew allowed=2")
                replace(cluster.folder / "router" / "self.key", (newer / "router.key").read_text())
                cluster.router.wait_for_line(r"keys read anew allowed=2")
                cluster.wait_until(lambda: cluster.state_count("expert-worker", "ready") == 2, "links are back")
                for worker in cluster.workers:
                    replace(cluster.folder / worker.name / "peers" / "router.pub", new["router"])
                    worker.wait_for_line(r"keys read anew allowed=1")
                # A worker's.
                replace(cluster.folder / "router" / "peers" / "worker-0.pub", old["worker-0"] + new["worker-0"])
                cluster.router.wait_for_line(r"keys read anew allowed=3")
                replace(cluster.folder / "worker-0" / "self.key", (newer / "worker-0.key").read_text())
                cluster.workers[0].wait_for_line(r"listening with new keys")
                cluster.wait_until(lambda: cluster.state_count("expert-worker", "ready") == 2, "links are back")
                before = len(load.answers)
                cluster.wait_until(lambda: len(load.answers) > before + 2 * AT_A_TIME, "requests go on")
            self.check_undisturbed(load)
            print(f"rotation: {len(load.answers)} requests, 0 failed", flush=True)
            # The old key opens nothing any more.
            replace(keys / "worker-0.pub", new["worker-0"])
            self.expect_counted(cluster, "worker-0", "unknown_key",
                                lambda: self.stranger(cluster, "worker-0", keys / "router.key", NONSENSE))

    def test_a_damaged_key_file_changes_nothing(self):
        with EncryptedCluster(MODEL, workers=1) as cluster:
            replace(cluster.folder / "worker-0" / "peers" / "router.pub", "not a key\n")
            line = cluster.workers[0].wait_for_line(r"keys not read anew.*")
            self.assertIn("router.pub: line 1", line[0])
            self.assertEqual(fingerprint(cluster, self.prompts[:4]), self.expected[:4])


class WithoutKeys(unittest.TestCase):
    def run_program(self, program, *flags):
        return subprocess.run([PROGRAMS / program, *flags], capture_output=True, text=True, timeout=ANSWER_TIMEOUT_S)

    def test_addresses_off_loopback_are_refused_in_one_line(self):
        commands = {
            "sida-expert-worker": ["--model", MODEL, "--listen", "tcp://0.0.0.0:5600"],
            "sida-router": ["--model", MODEL, "--port", "0", "--admin-port", "0", "--worker", "w=tcp://192.0.2.1:5600"],
        }
        for program, flags in commands.items():
            done = self.run_program(program, *flags)
            self.assertEqual(done.returncode, 2, done.stderr)
            errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
            self.assertEqual(len(errors), 1, done.stderr)
            self.assertIn("--link-secret-key", errors[0])
            self.assertIn("sida keys", errors[0])

    def test_half_of_the_flags_is_refused(self):
        done = self.run_program("sida-expert-worker", "--model", MODEL, "--listen", "tcp://0.0.0.0:5600", "--link-allow", "x")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--link-secret-key", done.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
