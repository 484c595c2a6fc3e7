"""schemathesis against the router's own OpenAPI file: requests made from it, right ones and wrong ones, get no 500 and no
answer that the file does not describe."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from cluster import SOURCE, TIME_SCALE, Cluster

DEMO = SOURCE / "models" / "demo"
PROGRAM = shutil.which("schemathesis", path=f"{pathlib.Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
EXAMPLES = int(os.environ.get("SIDA_FUZZ_EXAMPLES", "40"))  # Of each kind, per endpoint.
SEED = "20260101"
# What it checks that is not so, on purpose:
EXCEPT = ",".join([
    "unsupported_method",  # TRACE gets 405 as it should, but the file has no responses of methods that are not there.
    "positive_data_acceptance",  # Ids beyond the vocabulary and sums of tokens beyond a limit: no schema can tell.
    "negative_data_rejection",  # Headers that the file does not name are wrong to it, and may be sent; limits_test has the rest.
    "missing_required_header",
])


@unittest.skipUnless(PROGRAM, "the Python package schemathesis is not installed")
class OpenApiFuzz(unittest.TestCase):
    def fuzz(self, cluster, *flags):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [PROGRAM, "run", f"http://127.0.0.1:{cluster.port}/openapi.json", "--checks", "all", "--exclude-checks", EXCEPT,
                 "--max-examples", str(EXAMPLES), "--seed", SEED, "--request-timeout", str(60 * TIME_SCALE),
                 "--generation-database", "none", "--no-color",
                 # A deadline of a millisecond ends in 504, as it should, and that is taken for a failure of the server.
                 "--header", "X-Request-Timeout-Ms: 600000", *flags],
                capture_output=True, text=True, timeout=1000 * TIME_SCALE, cwd=folder)
        self.assertEqual(done.returncode, 0, done.stdout[-12_000:] + done.stderr[-2000:])
        self.assertIsNone(cluster.router.child.poll())
        self.assertEqual(cluster.get("/health")[0], 200)

    def test_an_open_server_keeps_to_its_description(self):
        with Cluster(DEMO, workers=1, router_flags=["--max-output-tokens", "64"]) as cluster:
            self.fuzz(cluster)

    def test_a_server_with_keys_does_too(self):
        with Cluster(DEMO, workers=1, api_key="sesame", router_flags=["--max-output-tokens", "64"]) as cluster:
            self.fuzz(cluster, "--header", "Authorization: Bearer sesame")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
