"""Every key, variable and verb in the manifests is one that the programs have: they read each file themselves."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import manifests
import tools

PROGRAMS = pathlib.Path(os.environ.get("SIDA_PROGRAMS", tools.SOURCE / "build" / "release" / "bin"))
OF_THE_POD = {"status.podIP": "127.0.0.1", "metadata.name": "sida-worker-0"}


def variables(workload):
    """What the container's program would find, on a node of this machine."""
    found = {}
    for name, entry in manifests.environment(workload).items():
        source = entry.get("valueFrom", {})
        if "value" in entry:
            found[name] = re.sub(r"\$\((\w+)\)", lambda other: found[other[1]], entry["value"])
        elif "fieldRef" in source:
            found[name] = OF_THE_POD[source["fieldRef"]["fieldPath"]]
        else:
            limit = manifests.pod(workload)["containers"][0]["resources"]["limits"]["cpu"]
            found[name] = str(-int(-manifests.quantity(limit) // 1))  # Kubernetes rounds up.
    return found


def read_by_its_program(documents, workload, text=None):
    command = manifests.pod(workload)["containers"][0]["command"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SIDA_")}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text or manifests.config(documents, workload)[1])
        file.flush()
        return subprocess.run([PROGRAMS / command[0], "--config", file.name, "--print-config"], capture_output=True,
                              text=True, env={**clean, **variables(workload)}, timeout=60)


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tools.folder()
        cls.overlays = {name: manifests.parse(manifests.overlay_text(name)) for name in manifests.OVERLAYS}

    def servers(self):
        for overlay, documents in self.overlays.items():
            for workload in manifests.servers(documents):
                with self.subTest(overlay=overlay, workload=manifests.title(workload)):
                    yield documents, workload

    def test_every_program_takes_its_file_and_its_variables(self):
        for documents, workload in self.servers():
            done = read_by_its_program(documents, workload)
            self.assertEqual(done.returncode, 0, done.stderr)
            for name in (name for name in variables(workload) if name.startswith("SIDA_")):
                key = name.removeprefix("SIDA_").lower().replace("_", "-")
                self.assertRegex(done.stdout, rf"(?m)^{key}: .*# environment$")

    def test_a_key_that_no_program_has_is_found(self):
        for documents, workload in self.servers():
            text = manifests.config(documents, workload)[1]
            done = read_by_its_program(documents, workload, text.replace("log-format:", "log-fromat:"))
            self.assertEqual(done.returncode, 2)
            self.assertIn("log-fromat", done.stderr)

    def test_the_verbs_of_the_job_exist(self):
        known = subprocess.run([PROGRAMS / "sida", "--help"], capture_output=True, text=True, timeout=60).stdout
        for overlay, documents in self.overlays.items():
            for job in manifests.of_kind(documents, "Job"):
                shell = manifests.pod(job)["containers"][0]["command"][-1]
                verb = re.search(r"sida (\S+)", shell)[1]
                self.assertRegex(known, rf"(?m)^\s+{verb}\s", overlay)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
