"""A cluster of real processes on Unix sockets in a temporary folder, for tests: start, kill, freeze, ask."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("SIDA_PROGRAMS", SOURCE / "build" / "release" / "bin"))
# Generous, for a busy machine; the build says how much slower its programs are (cmake/sida_targets.cmake).
TIME_SCALE = int(os.environ.get("SIDA_TEST_TIME_SCALE", "1"))
READY_TIMEOUT_S = 120 * TIME_SCALE
ANSWER_TIMEOUT_S = 120 * TIME_SCALE
COMMANDS_TIMEOUT_S = 300 * TIME_SCALE  # A page's block of commands.
STOP_TIMEOUT_S = 20 * TIME_SCALE


class Process:
    """One child; its log is kept line by line."""

    def __init__(self, name, arguments, environment=None):
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.environment = {**os.environ, **(environment or {})}
        self.lines = []
        self.changed = threading.Condition()
        self.start()

    def start(self):
        self.child = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      env=self.environment)
        threading.Thread(target=self._read, args=(self.child,), daemon=True).start()

    def _read(self, child):
        for line in child.stdout:
            with self.changed:
                self.lines.append(line.rstrip())
                self.changed.notify_all()
        child.stdout.close()
        with self.changed:
            self.changed.notify_all()

    def wait_for_line(self, pattern, timeout=READY_TIMEOUT_S):
        """The match of the first line that has the pattern."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines:
                    match = re.search(pattern, line)
                    if match:
                        return match
                left = deadline - time.monotonic()
                if left <= 0 or (self.child.poll() is not None and self.child.stdout.closed):
                    raise AssertionError(f"{self.name} never said {pattern!r}; its log:\n" + "\n".join(self.lines[-40:]))
                self.changed.wait(min(left, 0.2))

    def signal(self, number):
        self.child.send_signal(number)

    def stop(self, timeout=STOP_TIMEOUT_S):
        """Ends it politely; returns its exit code."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.name} did not end on SIGTERM; its log:\n" + "\n".join(self.lines[-40:]))


class Cluster:
    """`with Cluster(model, workers=2) as cluster: cluster.complete([3, 4, 1])`."""

    def __init__(self, model, workers=2, predictor=None, worker_flags=(), router_flags=(), predictor_command=None,
                 predictors=1, worker_models=None, api_key=None):
        self.model = str(model)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sida-"))
        self.worker_count = workers
        self.worker_models = worker_models or [self.model] * workers  # Copies of one model, one for each worker.
        self.predictor_directory = predictor
        self.predictor_command = predictor_command  # Another program: from its endpoint to its command line.
        self.worker_flags = list(worker_flags)
        self.router_flags = list(router_flags)
        self.api_key = api_key
        self.workers = []
        self.predictor_count = predictors if predictor or predictor_command else 0
        self.predictors = []
        self.router = None

    def endpoint(self, name):
        return f"ipc://{self.folder}/{name}.sock"

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        for index in range(self.worker_count):
            name = f"worker-{index}"
            self.workers.append(
                Process(name, [PROGRAMS / "sida-expert-worker", "--listen", self.endpoint(name), "--name", name,
                               "--model", self.worker_models[index], *self.worker_flags]))
        router = [PROGRAMS / "sida-router", "--model", self.model, "--port", "0", "--admin-port", "0"]
        for worker in self.workers:
            router += ["--worker", f"{worker.name}={self.endpoint(worker.name)}"]
        for index in range(self.predictor_count):
            name = f"predictor-{index}"
            command = self.predictor_command(self.endpoint(name)) if self.predictor_command else [
                PROGRAMS / "sida-predictor", "--listen", self.endpoint(name), "--model", self.model, "--predictor",
                str(self.predictor_directory), "--name", name]
            self.predictors.append(Process(name, command))
            router += ["--predictor-endpoint", self.endpoint(name)]
        if self.api_key:
            router += ["--api-key", self.api_key]
        self.router = Process("router", router + self.router_flags)
        self.wait_until_ready()

    def wait_until_ready(self):
        ports = self.router.wait_for_line(r"ready port=(\d+) admin_port=(\d+)")
        self.port, self.admin_port = int(ports[1]), int(ports[2])
        self.wait_until(lambda: self.get("/health")[0] == 200, "the cluster is ready")
        self.wait_until(lambda: self.state_count("expert-worker", "ready") == self.worker_count, "all workers are ready")
        self.wait_until(lambda: self.state_count("predictor", "ready") == self.predictor_count, "predictors are ready")

    def __exit__(self, *_):
        children = [self.router, *self.predictors, *self.workers]
        try:
            for child in children:
                if child:
                    child.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def predictor(self):
        return self.predictors[0]

    def wait_until(self, condition, what, timeout=READY_TIMEOUT_S):
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                logs = "\n".join(line for child in [self.router, *self.workers] for line in child.lines[-15:])
                raise AssertionError(f"not within {timeout} s: {what}; logs:\n{logs}")
            time.sleep(0.02)

    def exchange(self, port, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
        try:
            payload = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json"} if payload else {}
            if self.api_key:
                headers["Authorization"] = f"Bearer {self.api_key}"
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def get(self, path):
        return self.exchange(self.port, "GET", path)

    def admin(self, path):
        return self.exchange(self.admin_port, "GET", path)

    def post(self, path, body):
        """The JSON answer; raises on any status but 200."""
        status, text = self.exchange(self.port, "POST", path, body)
        if status != 200:
            raise AssertionError(f"{path} answered {status}: {text}")
        return json.loads(text)

    def complete(self, prompt, **options):
        body = {"prompt": prompt, "max_tokens": 16, "temperature": 0, "logprobs": 1, "return_routing": True,
                "return_token_ids": True, **options}
        return self.post("/v1/completions", body)["choices"][0]

    def score(self, prompt, target):
        return self.post("/v1/score", {"prompt": prompt, "target": target, "return_routing": True})

    def processes(self):
        return json.loads(self.admin("/status")[1])["processes"]

    def state_count(self, role, state):
        return sum(process["role"] == role and process["state"] == state for process in self.processes())

    def knows(self, worker):
        """The router has welcomed this very incarnation of the worker."""
        return any(process["pid"] == worker.child.pid and process["state"] == "ready" for process in self.processes())

    def channels(self):
        """What carries the rows of each worker."""
        return [worker["channel"] for worker in json.loads(self.admin("/status")[1])["workers"]]

    def restart(self, worker):
        """SIGKILL, then a new process under the same name, as a supervisor does."""
        worker.signal(signal.SIGKILL)
        worker.child.wait()
        worker.start()

    def metric(self, name, **labels):
        """The sum of a metric's samples that carry the labels."""
        total = 0.0
        for line in self.admin("/metrics")[1].splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == name:
                found = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
                if all(found.get(key) == value for key, value in labels.items()):
                    total += float(match[3])
        return total


def what_must_not_change(choice):
    """Of a completion's choice: all that faults and placement may not touch. JSON numbers carry every bit of a float."""
    return {"text": choice["text"], "token_ids": choice["token_ids"], "finish_reason": choice["finish_reason"],
            "logprobs": choice["logprobs"], "experts": served_experts(choice)}


def served_experts(answer):
    """Per MoE layer and token; not which worker held them."""
    return {stack: answer["routing"]["experts"][stack] for stack in ("encoder", "decoder")}
