"""Every overlay renders, and is what three versions of Kubernetes take, without a field that they do not know."""

import os
import subprocess
import sys
import tempfile
import unittest

import manifests
import tools

VERSIONS = ("1.31", "1.34", "1.37")
# Their schemas come with operators, not with Kubernetes; policies_test.py looks them over.
OPERATORS_KINDS = {"ServiceMonitor", "ScaledObject"}


def validate(text, version):
    """The exit code, the kinds that have no schema, and what was said."""
    command, environment = tools.validator()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([*command, "--strict", "-k", version, file.name], capture_output=True, text=True,
                              env=environment, timeout=120)
    said = done.stdout + done.stderr
    unknown = {line.split("for kind ")[1].split()[0] for line in said.splitlines() if "find schema for kind" in line}
    return done.returncode, unknown, said


class Render(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tools.folder()

    def test_there_are_overlays(self):
        self.assertEqual(manifests.OVERLAYS, ["cpu-demo", "mixed", "small-gpus"])

    def test_every_overlay_is_valid_in_three_versions(self):
        for overlay in manifests.OVERLAYS:
            for version in VERSIONS:
                with self.subTest(overlay=overlay, version=version):
                    code, unknown, said = validate(manifests.overlay_text(overlay), version)
                    self.assertEqual(code, 0, said)
                    self.assertLessEqual(unknown, OPERATORS_KINDS, said)

    def test_a_misspelt_field_is_found(self):
        for broken in ("readOnlyRootFileSystem", "failureTreshold"):
            right = {"readOnlyRootFileSystem": "readOnlyRootFilesystem", "failureTreshold": "failureThreshold"}[broken]
            text = manifests.overlay_text("cpu-demo")
            self.assertIn(right, text)
            code, _, said = validate(text.replace(right, broken), VERSIONS[0])
            self.assertNotEqual(code, 0, said)

    def test_the_tls_component_fits_the_base(self):
        with tempfile.TemporaryDirectory() as folder:
            k8s = os.path.relpath(manifests.K8S, os.path.realpath(folder))
            with open(f"{folder}/kustomization.yaml", "w") as file:
                file.write(f"resources: [{k8s}/overlays/cpu-demo]\ncomponents: [{k8s}/components/tls]\n")
            text = manifests.render_text(folder)
        self.assertEqual(text.count("scheme: HTTPS"), 3)
        self.assertIn("/etc/sida-keys/tls/tls.crt", text)
        self.assertEqual(validate(text, VERSIONS[-1])[0], 0)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
