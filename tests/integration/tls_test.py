"""The API over TLS, with real processes and a certificate made for the test."""

import contextlib
import http.client
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

from cluster import ANSWER_TIMEOUT_S, SOURCE, Cluster
from serve import Serve, run

MODEL = SOURCE / "tests" / "golden" / "cases" / "experts_64" / "model"
PROMPT = {"prompt": [5, 6, 7, 1], "max_tokens": 4, "temperature": 0}
LONG = {"prompt": [5, 6, 7, 1], "max_tokens": 20000, "min_tokens": 20000, "temperature": 0}


def make_certificate(folder, name):
    """Certificate and key, for 127.0.0.1."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class TlsCluster(Cluster):
    """Asks over TLS on the public port."""

    def __init__(self, *arguments, certificate, **options):
        super().__init__(*arguments, **options)
        self.trust = ssl.create_default_context(cafile=certificate)

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S, context=self.trust)

    def exchange(self, port, method, path, body=None):
        if port != self.port:
            return super().exchange(port, method, path, body)
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, json.dumps(body) if body else None,
                               {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read().decode()


@unittest.skipUnless(shutil.which("openssl"), "openssl, which makes a certificate, is not installed")
class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.certificate, cls.key = make_certificate(cls.folder, "ours")
        cls.cluster = TlsCluster(MODEL, workers=1, certificate=cls.certificate, router_flags=[
            "--ssl-certfile", cls.certificate, "--ssl-keyfile", cls.key, "--header-timeout", "2s", "--max-output-tokens", "20000"]).__enter__()
        cls.addClassCleanup(cls.cluster.__exit__)

    def running(self):
        status = json.loads(self.cluster.admin("/status")[1])
        return status["requests"]["running"] + status["requests"]["waiting"]

    def test_answers_and_streams_are_those_of_plain_http(self):
        whole = self.cluster.post("/v1/completions", {**PROMPT, "return_token_ids": True})["choices"][0]["token_ids"]
        self.assertEqual(len(whole), 4)
        with contextlib.closing(self.cluster.connect()) as connection:
            for _ in range(3):  # One connection for all.
                connection.request("POST", "/v1/completions", json.dumps({**PROMPT, "stream": True, "return_token_ids": True}),
                                   {"Content-Type": "application/json"})
                lines = connection.getresponse().read().decode().splitlines()
                self.assertEqual(lines[-2], "data: [DONE]")
                events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
                self.assertEqual([token for event in events for token in event["choices"][0]["token_ids"]], whole)

    def test_whoever_does_not_trust_the_certificate_is_not_deceived(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            with socket.create_connection(("127.0.0.1", self.cluster.port)) as plain:
                ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")

    def test_old_versions_are_refused(self):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(OSError), socket.create_connection(("127.0.0.1", self.cluster.port)) as plain:
            old.wrap_socket(plain)

    def test_plain_http_and_silence_end_the_connection_only(self):
        for payload in (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"a" * 70_000, b""):
            with socket.create_connection(("127.0.0.1", self.cluster.port), timeout=ANSWER_TIMEOUT_S) as client:
                with contextlib.suppress(OSError):
                    client.sendall(payload)
                    while client.recv(4096):
                        pass
            self.assertEqual(self.cluster.get("/health")[0], 200)

    def test_a_client_that_leaves_cancels_its_work(self):
        for politely in (True, False):
            connection = self.cluster.connect()
            connection.request("POST", "/v1/completions", json.dumps(LONG), {"Content-Type": "application/json"})
            self.cluster.wait_until(lambda: self.running() == 1, "it runs")
            if politely:
                with contextlib.suppress(OSError):
                    connection.sock.settimeout(0.2)
                    connection.sock.unwrap()
            connection.sock.close()
            connection.close()
            self.cluster.wait_until(lambda: self.running() == 0, "it is cancelled")
        self.cluster.wait_until(lambda: self.cluster.metric("sida_requests_total", outcome="cancelled") == 2, "both are counted")

    def test_files_that_do_not_belong_together_are_refused(self):
        _, other = make_certificate(self.folder, "other")
        for flags in (["--ssl-certfile", self.certificate], ["--ssl-certfile", self.certificate, "--ssl-keyfile", other],
                      ["--ssl-certfile", MODEL / "config.json", "--ssl-keyfile", self.key]):
            done = run("serve", "--model", MODEL, "--workers", 1, "--port", 0, "--admin-port", 0, *flags)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--ssl-", done.stderr)

    def test_serve_is_ready_on_https(self):
        serve = Serve(MODEL, "--workers", "1", "--ssl-certfile", str(self.certificate), "--ssl-keyfile", str(self.key))
        self.addCleanup(serve.stop)
        self.assertTrue(serve.url.startswith("https://127.0.0.1:"))
        port = int(serve.url.rsplit(":", 1)[1])
        with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, context=self.cluster.trust)) as connection:
            connection.request("GET", "/health")
            self.assertEqual(connection.getresponse().status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
