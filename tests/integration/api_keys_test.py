"""API keys, with real processes: who has none sees whether the server is well, and nothing else; no key is logged."""

import http.client
import json
import os
import subprocess
import tempfile
import unittest

from cluster import ANSWER_TIMEOUT_S, PROGRAMS, SOURCE, Cluster
from serve import Serve, run

MODEL = SOURCE / "tests" / "golden" / "cases" / "experts_64" / "model"
KEY = "sesame-7f3a"
OTHER = "second-key-of-a-file"
PROMPT = {"prompt": [5, 6, 7, 1], "max_tokens": 2, "temperature": 0}


def ask(port, method, path, authorization=None, body=None):
    """Status, headers, JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
    headers = {"Content-Type": "application/json"} if body else {}
    if authorization:
        headers["Authorization"] = authorization
    connection.request(method, path, json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    answer = response.status, response.headers, json.loads(response.read())
    connection.close()
    return answer


class RouterWithKeys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(MODEL, workers=1, api_key=KEY).__enter__()
        cls.addClassCleanup(cls.cluster.__exit__)

    def test_every_path_but_health_wants_a_key(self):
        port = self.cluster.port
        self.assertEqual(ask(port, "GET", "/health")[0], 200)
        paths = [path for path in ask(port, "GET", "/openapi.json", f"Bearer {KEY}")[2]["paths"]
                 if path not in ("/health", "/v2/health/live")]
        self.assertIn("/v1/completions", paths)
        for path in [*paths, "/nowhere", "/health/", "/metrics"]:
            for authorization in (None, "Bearer wrong", f"Basic {KEY}", "Bearer " + KEY[:-1], f"Bearer {KEY}x"):
                for method in ("GET", "POST"):
                    status, headers, body = ask(port, method, path, authorization, PROMPT if method == "POST" else None)
                    self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"), (method, path, authorization))
                    self.assertEqual((body["error"]["code"], body["error"]["type"], body["error"]["param"]),
                                     ("invalid_api_key", "invalid_request_error", None))

    def test_a_key_opens_all_of_them(self):
        self.assertEqual(ask(self.cluster.port, "POST", "/v1/completions", f"Bearer {KEY}", PROMPT)[0], 200)
        self.assertEqual(ask(self.cluster.port, "GET", "/v1/models", f"bearer {KEY}")[0], 200)
        self.assertEqual(ask(self.cluster.port, "GET", "/nowhere", f"Bearer {KEY}")[0], 404)

    def test_the_admin_port_stays_on_loopback_without_keys(self):
        self.assertEqual(ask(self.cluster.admin_port, "GET", "/status")[0], 200)

    def test_no_key_is_logged(self):
        for authorization in (f"Bearer {KEY}", "Bearer guessed-key"):
            ask(self.cluster.port, "POST", "/v1/completions", authorization, PROMPT)
        self.cluster.router.wait_for_line("outcome=invalid_api_key")
        log = "\n".join(self.cluster.router.lines)
        self.assertNotIn(KEY, log)
        self.assertNotIn("guessed-key", log)


class ServeWithKeys(unittest.TestCase):
    def test_keys_of_flags_variables_and_files_reach_the_router_unseen(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(f"# keys\n{OTHER}\n")
            file.flush()
            serve = Serve(MODEL, "--workers", "1", "--api-key-file", file.name, environment={"SIDA_API_KEY": KEY})
            self.addCleanup(serve.stop)
            port = int(serve.url.rsplit(":", 1)[1])
            self.assertEqual(ask(port, "GET", "/v1/models")[0], 401)
            self.assertEqual(ask(port, "GET", "/v1/models", f"Bearer {KEY}")[0], 200)
            self.assertEqual(ask(port, "GET", "/v1/models", f"Bearer {OTHER}")[0], 200)
            router = serve.processes()["router"]["pid"]
            with open(f"/proc/{router}/cmdline") as arguments:
                self.assertNotIn(KEY, arguments.read())
            wrong = run("generate", "--url", serve.url, "--input-ids", "5,6,1")
            self.assertEqual(wrong.returncode, 2)
            self.assertIn("API key", wrong.stderr)
            right = run("generate", "--url", serve.url, "--input-ids", "5,6,1", "--json", "--api-key", KEY)
            self.assertEqual(right.returncode, 0, right.stderr)

    def test_print_config_hides_them(self):
        shown = run("serve", "--model", MODEL, "--api-key", KEY, "--print-config")
        self.assertIn("(hidden)", shown.stdout)
        self.assertNotIn(KEY, shown.stdout)

    def test_a_file_without_keys_does_not_open_the_server(self):
        with tempfile.NamedTemporaryFile("w") as file:
            router = subprocess.run([PROGRAMS / "sida-router", "--model", MODEL, "--worker", "w=ipc:///tmp/none", "--port",
                                     "0", "--admin-port", "0", "--api-key-file", file.name], capture_output=True, text=True,
                                    timeout=ANSWER_TIMEOUT_S, env=os.environ)
        self.assertEqual(router.returncode, 2)
        self.assertIn("has no key", router.stdout + router.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
