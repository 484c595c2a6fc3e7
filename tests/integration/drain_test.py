"""A worker that an operator drains finishes what it has and gets nothing new, until it is taken back or started anew."""


import signal
import sys
import threading
import unittest

from cluster import SOURCE, Cluster, what_must_not_change

MODEL = SOURCE / "tests" / "golden" / "cases" / "base" / "model"
PROMPT = [5, 6, 7, 8, 9, 10, 1]


def drain(cluster, worker):
    return cluster.exchange(cluster.admin_port, "POST", f"/workers/{worker}/drain", {})


def undrain(cluster, worker):
    return cluster.exchange(cluster.admin_port, "POST", f"/workers/{worker}/undrain", {})


def state(cluster, worker):
    return next(process["state"] for process in cluster.processes() if process["name"] == worker)



class Drain(unittest.TestCase):
    def test_no_request_fails_and_no_bit_changes_while_a_worker_drains(self):
        with Cluster(MODEL) as cluster:
            expected = what_must_not_change(cluster.complete(PROMPT, min_tokens=16))
            answers, stop = [], threading.Event()

            def ask():
                while not stop.is_set():
                    answers.append(what_must_not_change(cluster.complete(PROMPT, min_tokens=16)))

            askers = [threading.Thread(target=ask) for _ in range(3)]
            for asker in askers:
                asker.start()
            try:
                cluster.wait_until(lambda: len(answers) > 3, "requests are answered")
                self.assertEqual(drain(cluster, "worker-0")[0], 202)
                cluster.wait_until(lambda: state(cluster, "worker-0") == "draining", "the worker drains")
                asked = len(answers)
                cluster.wait_until(lambda: len(answers) > asked + 5, "requests are answered without it")
            finally:
                stop.set()
                for asker in askers:
                    asker.join()
            self.assertTrue(all(answer == expected for answer in answers))
            choice = cluster.complete(PROMPT)
            self.assertEqual(list(choice["routing"]["rows_by_worker"]), ["worker-1"])
            self.assertEqual(cluster.get("/health")[0], 200)
            self.assertEqual(state(cluster, "worker-0"), "draining")

    def test_a_drained_worker_is_back_when_it_is_started_anew(self):
        with Cluster(MODEL) as cluster:
            worker = cluster.workers[0]
            drain(cluster, "worker-0")
            cluster.wait_until(lambda: state(cluster, "worker-0") == "draining", "the worker drains")
            self.assertIsNone(worker.child.poll())  # It stays until somebody ends it.
            worker.signal(signal.SIGTERM)
            self.assertEqual(worker.child.wait(20), 0)
            worker.start()
            cluster.wait_until(lambda: cluster.knows(worker), "the worker is back")
            cluster.complete(PROMPT)
            cluster.wait_until(lambda: cluster.complete(PROMPT)["routing"]["rows_by_worker"].get("worker-0", 0) > 0,
                               "it is given rows again")

    def test_a_drained_worker_is_taken_back_while_requests_run(self):
        with Cluster(MODEL) as cluster:
            expected = what_must_not_change(cluster.complete(PROMPT, min_tokens=16))
            answers, stop = [], threading.Event()

            def ask():
                while not stop.is_set():
                    choice = cluster.complete(PROMPT, min_tokens=16)
                    answers.append((what_must_not_change(choice), choice["routing"]["rows_by_worker"]))

            askers = [threading.Thread(target=ask) for _ in range(3)]
            for asker in askers:
                asker.start()
            try:
                for _ in range(3):
                    self.assertEqual(drain(cluster, "worker-0")[0], 202)
                    cluster.wait_until(lambda: state(cluster, "worker-0") == "draining", "the worker drains")
                    asked = len(answers)
                    cluster.wait_until(lambda: len(answers) > asked + 5, "requests are answered without it")
                    self.assertEqual(answers[-1][1].get("worker-0", 0), 0)
                    self.assertEqual(undrain(cluster, "worker-0")[0], 202)
                    cluster.wait_until(lambda: state(cluster, "worker-0") == "ready", "the worker is taken back")
                    cluster.wait_until(lambda: answers[-1][1].get("worker-0", 0) > 0, "it is given rows again")
            finally:
                stop.set()
                for asker in askers:
                    asker.join()
            self.assertTrue(all(answer == expected for answer, _ in answers))
            self.assertEqual(cluster.get("/health")[0], 200)
            self.assertIsNone(cluster.workers[0].child.poll())

    def test_the_only_worker_is_taken_back(self):
        with Cluster(MODEL, workers=1) as cluster:
            drain(cluster, "worker-0")
            cluster.wait_until(lambda: cluster.get("/health")[0] == 503, "the router is not ready")
            undrain(cluster, "worker-0")
            cluster.wait_until(lambda: cluster.get("/health")[0] == 200, "the router is ready again")
            cluster.complete(PROMPT)

    def test_without_another_worker_nothing_is_ready(self):
        with Cluster(MODEL, workers=1) as cluster:
            drain(cluster, "worker-0")
            cluster.wait_until(lambda: cluster.get("/health")[0] == 503, "the router is not ready")

    def test_what_cannot_be_drained_is_told(self):
        with Cluster(MODEL) as cluster:
            self.assertEqual(drain(cluster, "worker-7")[0], 404)
            self.assertEqual(drain(cluster, "router")[0], 404)
            self.assertEqual(undrain(cluster, "worker-7")[0], 404)
            self.assertEqual(undrain(cluster, "worker-0")[0], 202)  # It does not drain: nothing changes.
            cluster.workers[1].signal(signal.SIGKILL)
            cluster.wait_until(lambda: state(cluster, "worker-1") == "lost", "the worker is lost")
            self.assertEqual(drain(cluster, "worker-1")[0], 503)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
