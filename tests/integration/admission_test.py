"""Who gets in and what happens to who does not, with real processes: deadlines, slow readers, clients that leave, floods."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import threading
import time
import unittest

from cluster import ANSWER_TIMEOUT_S, SOURCE, TIME_SCALE, Cluster

MODEL = SOURCE / "tests" / "golden" / "cases" / "experts_64" / "model"
LONG = {"prompt": [5, 6, 7, 1], "max_tokens": 1000, "min_tokens": 1000, "temperature": 0}
SHORT = {"prompt": [5, 6, 7, 1], "max_tokens": 1, "temperature": 0}
LEAVERS = int(os.environ.get("SIDA_CONNECTS_AND_CANCELS", "400"))


def post(port, body, source="127.0.0.1", **headers):
    """Status, headers, JSON; from another address of this host, if that is told."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S, source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, response.headers, json.loads(response.read())


def request_bytes(body):
    payload = json.dumps(body).encode()
    return (f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}"
            "\r\n\r\n").encode() + payload


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Admission(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(MODEL, workers=1, router_flags=["--waiting-max", "16", "--running-max", "2", "--write-timeout",
                                                               f"{TIME_SCALE}s", "--max-output-tokens", "20000"])
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__)
        self.port = self.cluster.port

    def counts(self):
        status = json.loads(self.cluster.admin("/status")[1])
        return status["requests"]["running"], status["requests"]["waiting"]

    def freeze(self):
        """Nothing is computed until the end of the test."""
        self.cluster.workers[0].signal(signal.SIGSTOP)
        self.addCleanup(self.cluster.workers[0].signal, signal.SIGCONT)

    def begin(self, count, body=LONG, source="127.0.0.1"):
        """Sockets with a request under way each; their answers are not read."""
        sockets = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", self.port), source_address=(source, 0))
            self.addCleanup(client.close)
            client.sendall(request_bytes(body))
            sockets.append(client)
        return sockets

    def test_a_request_ends_by_its_own_deadline(self):
        self.freeze()
        begun = time.monotonic()
        status, _, answer = post(self.port, SHORT, **{"X-Request-Timeout-Ms": str(300 * TIME_SCALE)})
        self.assertEqual((status, answer["error"]["code"]), (504, "deadline_exceeded"))
        self.assertLess(time.monotonic() - begun, 20 * TIME_SCALE)

    def test_a_deadline_that_is_none_is_refused(self):
        for wrong in ("", "0", "-1", "1.5", "soon", "9" * 20):
            status, _, answer = post(self.port, SHORT, **{"X-Request-Timeout-Ms": wrong})
            self.assertEqual((status, answer["error"]["param"]), (400, "X-Request-Timeout-Ms"), wrong)

    def test_a_full_queue_refuses_at_once_and_keeps_room_for_others(self):
        self.freeze()
        self.begin(20)
        self.cluster.wait_until(lambda: self.counts()[1] >= 12, "two of the first sixteen have begun")
        self.begin(4)
        self.cluster.wait_until(lambda: self.counts()[1] == 14, "all of the queue but an eighth is taken")
        begun = time.monotonic()
        status, headers, answer = post(self.port, SHORT)
        self.assertEqual((status, answer["error"]["code"], headers["Retry-After"]), (503, "overloaded", "1"))
        self.assertLess(time.monotonic() - begun, 5 * TIME_SCALE)
        status, headers, answer = post(self.port, {**SHORT, "stream": True})
        self.assertEqual((status, answer["error"]["code"], headers["Retry-After"]), (503, "overloaded", "1"))
        self.begin(1, source="127.0.0.2")
        self.cluster.wait_until(lambda: self.counts()[1] == 15, "another client's request is taken")

    def test_a_flood_does_not_hold_up_another_client(self):
        self.begin(14, {**LONG, "max_tokens": 400, "min_tokens": 400})
        self.cluster.wait_until(lambda: self.counts()[1] >= 10, "the flood waits")
        status, _, _ = post(self.port, SHORT, source="127.0.0.2")
        self.assertEqual(status, 200)
        self.assertGreater(self.counts()[1], 4, "it was answered before most of the flood")

    def test_a_reader_that_does_not_read_is_cut_and_its_work_cancelled(self):
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", self.port))
        client.sendall(request_bytes({**LONG, "stream": True, "logprobs": 5, "max_tokens": 20000, "min_tokens": 20000}))
        self.cluster.wait_until(lambda: self.counts() == (1, 0), "it runs")
        self.cluster.wait_until(lambda: self.counts() == (0, 0), "it is cancelled")
        self.assertEqual(self.cluster.metric("sida_requests_total", endpoint="/v1/completions", outcome="ok"), 0)

    def test_clients_that_leave_leave_nothing_behind(self):
        pid = self.cluster.router.child.pid
        for body in (LONG, {**LONG, "stream": True}):
            self.leave(20, body)  # What grows once.
        self.cluster.wait_until(lambda: self.counts() == (0, 0), "nothing runs")
        files, memory = descriptors(pid), resident_bytes(pid)
        for body in (LONG, {**LONG, "stream": True}):
            self.leave(LEAVERS // 2, body)
        self.cluster.wait_until(lambda: self.counts() == (0, 0), "nothing runs")
        self.cluster.wait_until(lambda: descriptors(pid) <= files + 2, "every connection is closed")
        self.assertLess(resident_bytes(pid) - memory, 24 << 20)
        self.assertEqual(post(self.port, SHORT)[0], 200)

    def leave(self, count, body):
        """Clients that connect, ask and go, eight at a time, some of them in the middle of the request."""
        def some(offset):
            for index in range(offset, count, 8):
                with socket.create_connection(("127.0.0.1", self.port)) as client:
                    payload = request_bytes(body)
                    client.sendall(payload[:-5] if index % 5 == 0 else payload)
                    if index % 3 == 0:
                        client.settimeout(0.02)
                        with contextlib.suppress(TimeoutError):
                            client.recv(100)

        threads = [threading.Thread(target=some, args=(offset,)) for offset in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    unittest.main(verbosity=2)
