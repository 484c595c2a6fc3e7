"""SIGTERM answers what is open and refuses what is new; a second one ends at once. The workers are frozen meanwhile, so
that a request is open for as long as the test wants."""

import http.client
import json
import os
import signal
import unittest

from cluster import ANSWER_TIMEOUT_S, READY_TIMEOUT_S, SOURCE, Cluster
from serve import Serve

MODEL = SOURCE / "tests" / "golden" / "cases" / "experts_64" / "model"
REQUEST = {"prompt": [5, 6, 7, 1], "max_tokens": 1000, "min_tokens": 1000, "temperature": 0, "stream": True}


class Stream:
    """A streamed completion that has begun."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
        self.connection.request("POST", "/v1/completions", json.dumps(REQUEST), {"Content-Type": "application/json"})
        self.response = self.connection.getresponse()
        self.events = [self.response.readline()]

    def rest(self):
        """All events, to the end."""
        self.events += self.response.readlines()
        self.connection.close()
        return [json.loads(event[6:]) for event in self.events if event.startswith(b"data: {")], self.events[-2]


def freeze(pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def thaw(pids):
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


class RouterShutdown(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(MODEL, workers=2, router_flags=["--shutdown-grace", "100s"])
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__)
        self.pids = [worker.child.pid for worker in self.cluster.workers]

    def begin(self):
        """A stream that is open and goes no further."""
        stream = Stream(self.cluster.port)
        self.addCleanup(stream.connection.close)
        freeze(self.pids)
        self.addCleanup(thaw, self.pids)
        self.cluster.router.signal(signal.SIGTERM)
        self.cluster.router.wait_for_line("draining signal=SIGTERM")
        return stream

    def test_an_open_stream_is_finished_and_a_new_request_refused(self):
        stream = self.begin()
        self.cluster.wait_until(lambda: self.cluster.get("/health")[0] == 503, "health tells of the end")
        connection = http.client.HTTPConnection("127.0.0.1", self.cluster.port, timeout=ANSWER_TIMEOUT_S)
        connection.request("POST", "/v1/completions", json.dumps(REQUEST), {"Content-Type": "application/json"})
        refused = connection.getresponse()
        self.assertEqual((refused.status, refused.headers["Retry-After"]), (503, "1"))
        self.assertEqual(json.loads(refused.read())["error"]["code"], "unavailable")
        connection.close()
        thaw(self.pids)
        events, last = stream.rest()
        self.assertEqual(last, b"data: [DONE]\n")
        self.assertEqual(events[-1]["choices"][0]["finish_reason"], "length")
        self.assertEqual(self.cluster.router.child.wait(READY_TIMEOUT_S), 0)

    def test_a_second_signal_ends_at_once(self):
        self.begin()
        self.cluster.router.signal(signal.SIGINT)
        self.assertEqual(self.cluster.router.child.wait(READY_TIMEOUT_S), 0)
        self.cluster.router.wait_for_line("stopping signal=SIGINT")


class ServeShutdown(unittest.TestCase):
    def test_the_router_ends_first_and_its_streams_are_finished(self):
        serve = Serve(MODEL, "--shutdown-grace", "100s")
        self.addCleanup(serve.stop)
        workers = [process["pid"] for process in serve.processes().values() if process["role"] == "expert-worker"]
        stream = Stream(int(serve.url.rsplit(":", 1)[1]))
        freeze(workers)
        serve.signal(signal.SIGTERM)
        serve.wait_for_line("draining signal=SIGTERM")
        thaw(workers)
        self.assertEqual(stream.rest()[1], b"data: [DONE]\n")
        self.assertEqual(serve.child.wait(READY_TIMEOUT_S), 0)
        log = "\n".join(serve.lines)
        self.assertLess(log.index("draining signal=SIGTERM"), log.index("draining jobs=0"))
        self.assertNotIn("ended by signal", log)


if __name__ == "__main__":
    unittest.main(verbosity=2)
