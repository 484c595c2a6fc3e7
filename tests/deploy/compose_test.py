"""The compose file gives its containers no more than they need, and what their configurations ask for."""

import copy
import pathlib
import sys
import unittest

import manifests
import tools

PATH = tools.SOURCE / "deploy" / "compose" / "compose.yaml"
ONE_BOX = tools.SOURCE / "deploy" / "examples" / "one-box"
SIZES = {"g": 2**30, "m": 2**20}


def problems(compose):
    """What is wrong, a sentence each."""
    for name, service in compose["services"].items():
        program, flag, path = service["command"]
        settings = manifests.parse((ONE_BOX / pathlib.PurePath(path).name).read_text())[0]
        if flag != "--config" or not program.startswith("sida-"):
            yield f"{name} does not run a program with its file"
        if service.get("user", "root").split(":")[0] in ("root", "0") or not service.get("read_only"):
            yield f"{name} runs as root, or can write its root"
        if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name} keeps privileges"
        if any(mount["type"] == "bind" and not mount.get("read_only") for mount in service["volumes"]):
            yield f"{name} can write to the host"
        if not all(port.startswith("127.0.0.1:") for port in service.get("ports", [])):
            yield f"{name} is open to other hosts"
        if program != "sida-router" and service.get("network_mode") != "none":
            yield f"{name} has a network, and talks through Unix sockets only"
        grace = settings.get("shutdown-grace", settings.get("drain-grace", "0s"))
        if manifests.seconds(service.get("stop_grace_period", "10s")) < manifests.seconds(grace) + 5:
            yield f"{name} is killed before its grace is over"
        limit = service.get("mem_limit", "0m")
        if float(limit[:-1]) * SIZES[limit[-1]] * 7 / 8 < manifests.quantity(settings.get("expert-memory", "1MiB")):
            yield f"{name} has too little memory for its experts"
        check = " ".join(service.get("healthcheck", {}).get("test", []))
        if settings.get("alive-file", "http://127.0.0.1:8001") + " " not in check + " ":
            yield f"{name}'s health is not looked at"


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tools.folder()
        cls.compose = manifests.parse(PATH.read_text())[0]

    def test_containers_get_no_more_than_they_need(self):
        self.assertEqual(list(problems(self.compose)), [])

    def test_broken_copies_are_found(self):
        for service, key, value in (("router", "user", "0:0"), ("router", "ports", ["8000:8000"]), ("worker-0", "cap_drop", []),
                                    ("worker-1", "network_mode", "bridge"), ("predictor", "read_only", False),
                                    ("worker-0", "stop_grace_period", "10s"), ("worker-1", "mem_limit", "64m"),
                                    ("worker-1", "healthcheck", self.compose["services"]["worker-0"]["healthcheck"])):
            with self.subTest(service=service, key=key):
                broken = copy.deepcopy(self.compose)
                broken["services"][service][key] = value
                self.assertNotEqual(list(problems(broken)), [])

    def test_every_worker_and_predictor_of_the_router_has_a_container(self):
        given = {pathlib.PurePath(service["command"][2]).name for service in self.compose["services"].values()}
        self.assertEqual(given, {path.name for path in ONE_BOX.glob("*.yaml")})


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
