"""Every limit and every way to write a request wrongly, one by one over raw sockets: the documented status and code, the
process alive, and a stream beside it that never changes."""

import contextlib
import http.client
import json
import socket
import threading
import time
import unittest

from cluster import ANSWER_TIMEOUT_S, SOURCE, TIME_SCALE, Cluster

DEMO = SOURCE / "models" / "demo"
DOCUMENTED = (SOURCE / "docs" / "api.md").read_text()
TIMEOUT = TIME_SCALE  # Seconds, of everything that may be slow.
LIMITS = {"max-connections": 24, "max-header-bytes": "8KiB", "max-headers": 32, "max-target-bytes": 256,
          "max-body-bytes": "64KiB", "max-json-depth": 8, "max-prompts": 4, "max-prompt-tokens": 64,
          "max-output-tokens": 256, "max-request-tokens": 600, "idle-timeout": f"{TIMEOUT}s",
          "header-timeout": f"{TIMEOUT}s", "body-timeout": f"{TIMEOUT}s", "write-timeout": f"{TIMEOUT}s"}
WITNESS = {"prompt": "topic: a large ship", "max_tokens": 48, "min_tokens": 48, "temperature": 0, "stream": True}


def head(*lines):
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def post(body, path="/v1/completions", *headers):
    """A well-formed POST of these bytes, or of this JSON."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(payload)}",
                *headers) + payload


def with_lengths(*headers, body=b"0\r\n\r\n"):
    return head("POST /tokenize HTTP/1.1", "Host: x", "Content-Type: application/json", *headers) + body


def nested(depth):
    return b'{"prompt":' + b"[" * depth + b"]" * depth + b"}"


GET = "GET /health HTTP/1.1"
BIG = b" " * 70_000
# What it is; the bytes; status; code; the field at fault, where one is.
WIRE = [
    ("a huge header", head(GET, "Host: x", "X: " + "a" * 9000), 431, "headers_too_large"),
    ("a huge header on a protected path", head("POST /v1/score HTTP/1.1", "Authorization: Bearer " + "a" * 9000), 431,
     "headers_too_large"),
    ("a header without an end", GET.encode() + b"\r\nX: " + b"a" * 200_000, 431, "headers_too_large"),
    ("a target without an end", b"GET /" + b"a" * 200_000, 431, "headers_too_large"),
    ("many headers", head(GET, "Host: x", *(f"X-{i}: a" for i in range(32))), 431, "too_many_headers"),
    ("a long target", head("GET /" + "a" * 256 + " HTTP/1.1", "Host: x"), 414, "target_too_long"),
    ("a long query", head("GET /health?" + "a" * 256 + " HTTP/1.1", "Host: x"), 414, "target_too_long"),
    ("a body too large by its length", with_lengths("Content-Length: 70000", body=b""), 413, "body_too_large"),
    ("a body too large as it comes", with_lengths("Transfer-Encoding: chunked", body=b"11170\r\n" + BIG), 413,
     "body_too_large"),
    ("many small chunks too large together",
     with_lengths("Transfer-Encoding: chunked", body=b"1\r\n \r\n" * 66_000), 413, "body_too_large"),
    ("a chunk of 2^64 bytes", with_lengths("Transfer-Encoding: chunked", body=b"10000000000000000\r\n"), 400,
     "malformed_request"),
    ("a chunk of -1 bytes", with_lengths("Transfer-Encoding: chunked", body=b"-1\r\n"), 400, "malformed_request"),
    ("a chunk without digits", with_lengths("Transfer-Encoding: chunked", body=b"\r\n\r\n"), 400, "malformed_request"),
    ("two lengths", with_lengths("Content-Length: 5", "Content-Length: 6", body=b"abcdef"), 400, "malformed_request"),
    ("the same length twice", with_lengths("Content-Length: 2", "Content-Length: 2", body=b"{}"), 400, "malformed_request"),
    ("two lengths in one header", with_lengths("Content-Length: 2, 2", body=b"{}"), 400, "malformed_request"),
    ("a length and chunks", with_lengths("Content-Length: 5", "Transfer-Encoding: chunked"), 400, "malformed_request"),
    ("chunks and a length", with_lengths("Transfer-Encoding: chunked", "Content-Length: 5"), 400, "malformed_request"),
    ("an unknown coding", with_lengths("Transfer-Encoding: gzip", body=b""), 400, "malformed_request"),
    ("a coding before chunks", with_lengths("Transfer-Encoding: gzip, chunked"), 400, "malformed_request"),
    ("a length below 0", with_lengths("Content-Length: -1", body=b""), 400, "malformed_request"),
    ("a length with a sign", with_lengths("Content-Length: +2", body=b"{}"), 400, "malformed_request"),
    ("a length that is no number", with_lengths("Content-Length: 0x2", body=b"{}"), 400, "malformed_request"),
    ("a length above 2^64", with_lengths("Content-Length: 99999999999999999999", body=b""), 400, "malformed_request"),
    ("a space before the colon", head(GET, "Host : x"), 400, "malformed_request"),
    ("a zero byte in a header", head(GET, "Host: x\0y"), 400, "malformed_request"),
    ("a zero byte in the target", head("GET /hea\0lth HTTP/1.1", "Host: x"), 400, "malformed_request"),
    ("a line feed alone", b"GET /health HTTP/1.1\nHost: x\n\n", 400, "malformed_request"),
    ("an unknown version", head("GET /health HTTP/3.0", "Host: x"), 400, "malformed_request"),
    ("no version", b"GET /health\r\n\r\n", 400, "malformed_request"),
    ("no host", head(GET), 400, "malformed_request"),
    ("two hosts", head(GET, "Host: x", "Host: y"), 400, "malformed_request"),
    ("a TLS greeting", bytes.fromhex("16030100c8010000c40303") + b"\x01" * 64 + b"\r\n\r\n", 400, "malformed_request"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed_request"),
    ("no HTTP at all", b"\xff\xfe\x00 what \x80\r\n\r\n", 400, "malformed_request"),
    ("an unknown path", head("GET /nowhere HTTP/1.1", "Host: x"), 404, "route_not_found"),
    ("a path with dots", head("GET /../etc/passwd HTTP/1.1", "Host: x"), 404, "route_not_found"),
    ("an unknown method", head("BREW /v1/completions HTTP/1.1", "Host: x"), 405, "method_not_allowed"),
    ("a wrong method", head("DELETE /v1/models HTTP/1.1", "Host: x"), 405, "method_not_allowed"),
    ("a wrong content type", head("POST /tokenize HTTP/1.1", "Host: x", "Content-Type: text/plain", "Content-Length: 2") + b"{}",
     415, "unsupported_media_type"),
    ("no content type", head("POST /tokenize HTTP/1.1", "Host: x", "Content-Length: 2") + b"{}", 415, "unsupported_media_type"),
]

BODIES = [
    ("no body", b"", None),
    ("no JSON", b"{prompt", None),
    ("half of a JSON", b'{"prompt": "a"', None),
    ("two JSONs", b'{"prompt": "a"} {}', None),
    ("a list", b"[]", None),
    ("null", b"null", None),
    ("a number that is none", b'{"prompt": "a", "temperature": NaN}', None),
    ("a number without an end", b'{"prompt": "a", "temperature": 1e999}', None),
    ("deep JSON", nested(9), None),
    ("very deep JSON", nested(30_000), None),
    ("very deep objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, None),
    ("broken UTF-8", b'{"prompt": "\xff\xfe"}', None),
    ("UTF-8 longer than need be", b'{"prompt": "\xc0\xaf"}', None),
    ("half of a character", b'{"prompt": "\xe2\x82"}', None),
    ("half of a pair", rb'{"prompt": "\ud800"}', None),
    ("a name in broken UTF-8", b'{"\xff": 1}', None),
    ("no prompt", {"max_tokens": 1}, "prompt"),
    ("an unknown field", {"prompt": "a", "max_token": 1}, "max_token"),
    ("a name of 10,000 letters", {"prompt": "a", "a" * 10_000: 1}, None),
]
# Of a completion that is right but for this field.
FIELDS = [("prompt", wrong) for wrong in (1, True, {}, [], [[]], [1.5], [-1], [10**9], [2**63], ["a", 1], [["a"]], [[[1]]],
                                          ["a", [1]], [None])] + [
    (name, wrong)
    for name in ("max_tokens", "min_tokens", "n", "top_k", "logprobs", "seed", "no_repeat_ngram_size")
    for wrong in ("1", 1.5, [], {}, True, -5, 2**70)] + [
    (name, wrong)
    for name in ("temperature", "top_p", "repetition_penalty") for wrong in ("1", [], {}, True, -1, 1e30)] + [
    (name, wrong)
    for name in ("stream", "ignore_eos", "return_routing", "return_gates", "return_token_ids") for wrong in ("true", 1, [])] + [
    ("stop", wrong) for wrong in (1, [1], "", [""], ["a"] * 5, {}, [["a"]])] + [
    ("routing", "fast"), ("routing", 1), ("stream_options", 1), ("stream_options", {"include_usage": 1}),
    ("model", 1), ("logprobs", 6), ("n", 0), ("best_of", 0), ("best_of", 7), ("use_beam_search", 1), ("length_penalty", 2), ("early_stopping", "soon"), ("user", 1), ("logit_bias", {"5": 1}), ("suffix", "x"),
    ("presence_penalty", 0.5), ("frequency_penalty", "0")]
SIZES = [
    ("too many prompts", {"prompt": ["a"] * 5}),
    ("prompts times n", {"prompt": ["a"] * 2, "n": 3}),
    ("a long prompt", {"prompt": [5] * 65}),
    ("a long text", {"prompt": "ship " * 2000}),
    ("a long answer", {"prompt": "a", "max_tokens": 257}),
    ("much in all", {"prompt": ["a"] * 4, "max_tokens": 200}),
]
OTHERS = [
    ("/v1/score", {"prompt": "a"}), ("/v1/score", {"target": "a"}), ("/v1/score", {"prompt": "a", "target": 1}),
    ("/v1/score", {"prompt": "a", "target": [5] * 257}), ("/v1/score", {"prompt": [], "target": "a"}),
    ("/v1/score", {"prompt": "a", "target": "b", "stream": True}), ("/tokenize", {}), ("/tokenize", {"prompt": 1}),
    ("/tokenize", {"prompt": "a", "add_special_tokens": 1}), ("/detokenize", {}), ("/detokenize", {"tokens": "a"}),
    ("/detokenize", {"tokens": [-1]}), ("/detokenize", {"tokens": [1.5]}), ("/detokenize", {"tokens": [10**9]}),
]


class Witness(threading.Thread):
    """Streams the same completion again and again beside the tests; its answers must not differ."""

    def __init__(self, port):
        super().__init__(daemon=True)
        # One for all, so that no limit on connections concerns it.
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
        self.answers = []
        self.failure = None
        self.ending = threading.Event()

    def run(self):
        try:
            while not self.ending.is_set():
                self.answers.append(self.stream())
        except Exception as failure:
            self.failure = failure

    def stream(self):
        self.connection.request("POST", "/v1/completions", json.dumps(WITNESS), {"Content-Type": "application/json"})
        lines = self.connection.getresponse().read().decode().splitlines()
        if lines[-2] != "data: [DONE]":
            raise AssertionError(f"the stream ended on {lines[-2:]}")
        return "".join(json.loads(line[6:])["choices"][0]["text"] for line in lines if line.startswith("data: {"))

    def stop(self):
        self.ending.set()
        self.join()
        self.connection.close()


class RawSocket:
    def __init__(self, port, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(ANSWER_TIMEOUT_S)
        self.socket.connect(("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, payload):
        with contextlib.suppress(OSError):  # A server that has said no does not read on.
            self.socket.sendall(payload)
        return self

    def answer(self):
        """Status, headers and JSON; nothing when the server closed without a word."""
        response = http.client.HTTPResponse(self.socket)
        try:
            response.begin()
        except (http.client.BadStatusLine, ConnectionError):
            return None
        text = response.read()
        return response.status, response.headers, json.loads(text)

    def ended(self):
        """All that came until the server closed."""
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := self.socket.recv(1 << 16):
                received += piece
        return received


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        flags = [word for name, value in LIMITS.items() for word in (f"--{name}", str(value))]
        cls.cluster = Cluster(DEMO, workers=2, predictor=DEMO / "predictor", router_flags=flags).__enter__()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.pid = cls.cluster.router.child.pid
        cls.witness = Witness(cls.cluster.port)
        cls.witness.start()
        cls.addClassCleanup(cls.witness.stop)

    def tearDown(self):
        self.assertIsNone(self.cluster.router.child.poll(), "the router ended")
        self.assertEqual(self.cluster.get("/health")[0], 200)
        self.assertIsNone(self.witness.failure)
        told = len(self.witness.answers)
        self.cluster.wait_until(lambda: len(self.witness.answers) > told or self.witness.failure, "the stream goes on")
        self.assertEqual(len(set(self.witness.answers)), 1, "the stream beside the test changed")

    def refused(self, payload, status, code):
        with RawSocket(self.cluster.port) as client:
            answer = client.send(payload).answer()
        self.assertIsNotNone(answer, "closed without an answer")
        self.assertEqual((answer[0], answer[2]["error"]["code"]), (status, code), answer[2])
        self.assertIn(f"`{code}`", DOCUMENTED)
        self.assertRegex(answer[2]["error"]["message"], r"\S")
        self.assertLess(len(answer[2]["error"]["message"]), 500)
        return answer[2]["error"]

    def test_what_is_wrong_on_the_wire(self):
        for what, payload, status, code in WIRE:
            with self.subTest(what):
                self.refused(payload, status, code)

    def test_bodies_that_are_no_request(self):
        for what, body, param in BODIES:
            with self.subTest(what):
                error = self.refused(post(body), 400, "invalid_argument")
                if param:
                    self.assertEqual(error["param"], param)

    def test_wrong_types_and_values_of_every_field(self):
        for name, wrong in FIELDS:
            with self.subTest(f"{name}={wrong!r}"):
                with RawSocket(self.cluster.port) as client:
                    status, _, answer = client.send(post({"prompt": "a", "max_tokens": 2, name: wrong})).answer()
                self.assertEqual(status, 400, answer)
                self.assertIn(answer["error"]["code"], ("invalid_argument", "unsupported", "context_length_exceeded"))
                self.assertTrue(answer["error"]["param"].startswith(name), answer)

    def test_sizes(self):
        for what, body in SIZES:
            with self.subTest(what):
                with RawSocket(self.cluster.port) as client:
                    status, _, answer = client.send(post(body)).answer()
                self.assertEqual(status, 400, answer)
                self.assertIn(answer["error"]["code"], ("invalid_argument", "context_length_exceeded"))

    def test_the_other_endpoints(self):
        for path, body in OTHERS:
            with self.subTest(f"{path} {body}"):
                with RawSocket(self.cluster.port) as client:
                    status, _, answer = client.send(post(body, path)).answer()
                self.assertEqual(status, 400, answer)

    def test_an_unknown_model(self):
        self.refused(post({"prompt": "a", "model": "gpt"}), 404, "model_not_found")

    def test_a_silent_client_is_closed(self):
        with RawSocket(self.cluster.port) as client:
            self.assertEqual(client.ended(), b"")

    def test_a_slow_header_is_cut_off(self):
        self.drip(b"GET /health HTTP/1.1\r\nX: " + b"a" * 1000)

    def test_a_slow_body_is_cut_off(self):
        self.drip(post(b" " * 1000)[:-900])

    def drip(self, payload):
        """A few bytes at a time never keep a connection open beyond its deadline."""
        begun = time.monotonic()
        with RawSocket(self.cluster.port) as client:
            client.socket.settimeout(TIMEOUT / 20)
            closed = False
            for byte in payload:
                try:
                    client.socket.send(bytes([byte]))
                    closed = client.socket.recv(1) == b""
                except TimeoutError:
                    continue
                except OSError:
                    closed = True
                if closed:
                    break
        self.assertTrue(closed, "all of it was taken, however slowly it came")
        self.assertLess(time.monotonic() - begun, 10 * TIMEOUT)

    def test_a_client_that_does_not_read_is_cut_off(self):
        request = post({"tokens": [5000] * 9000}, "/detokenize")
        with RawSocket(self.cluster.port, receive_bytes=4096) as client:
            client.socket.settimeout(20 * TIMEOUT)
            with self.assertRaises(OSError):  # Reset, once the server has waited long enough for its answer to be taken.
                while True:
                    client.socket.sendall(request)

    def test_connections_beyond_the_limit_are_refused_at_once(self):
        with contextlib.ExitStack() as open_ones:
            clients = [open_ones.enter_context(RawSocket(self.cluster.port)) for _ in range(LIMITS["max-connections"] + 1)]
            refusal = clients[-1].answer()
            self.assertIsNotNone(refusal, "all were taken")
            self.assertEqual((refusal[0], refusal[2]["error"]["code"]), (503, "too_many_connections"))
            self.assertEqual(refusal[1]["Retry-After"], "1")
        self.cluster.wait_until(lambda: self.cluster.get("/health")[0] == 200, "connections are free again")

    def test_every_limit_of_the_wire_is_in_the_reference(self):
        reference = (SOURCE / "docs" / "configuration.md").read_text()
        for name in LIMITS:
            self.assertIn(f"`--{name} ", reference)


if __name__ == "__main__":
    unittest.main(verbosity=2)
