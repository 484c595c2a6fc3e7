"""The Dockerfile is one that hadolint has nothing to say about, and its image is a small and harmless one."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import dockerfile
import tools

PROGRAMS = pathlib.Path(os.environ.get("SIDA_PROGRAMS", tools.SOURCE / "build" / "release" / "bin"))
SERVING = ("sida", "sida-router", "sida-predictor", "sida-expert-worker")
# Of every Debian image; and libfmt, which libspdlog brings.
OF_DEBIAN = re.compile(r"lib(c|m|dl|rt|pthread|resolv|gcc_s|stdc\+\+|z|fmt)\.so|ld-linux")
OF_LIBTORCH = re.compile(r"lib(c10|torch_cpu|gomp|cudart|cupti)\.so")


def problems(text):
    *_, stage = dockerfile.stages(text)
    users = dockerfile.values(stage, "USER")
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        yield "it runs as root, or under a name that Kubernetes cannot check"
    if not dockerfile.values(stage, "FROM")[0].endswith("-slim"):
        yield "its base is not a slim one"
    for run in dockerfile.values(stage, "RUN"):
        if re.search(r"python|pip|gcc|g\+\+|cmake|cuda|-dev\b", run):
            yield f"it installs what only building needs: {run}"
    if any(instruction == "ADD" for instruction, _ in stage):
        yield "it adds from elsewhere"


class Dockerfile(unittest.TestCase):
    def hadolint(self, text):
        return subprocess.run([tools.program("hadolint"), "-"], input=text, capture_output=True, text=True, timeout=60)

    def test_hadolint_has_nothing_to_say(self):
        done = self.hadolint(dockerfile.PATH.read_text())
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertNotEqual(self.hadolint(dockerfile.PATH.read_text().replace("debian:12-slim AS", "debian AS")).returncode, 0)

    def test_the_image_is_harmless(self):
        text = dockerfile.PATH.read_text()
        self.assertEqual(list(problems(text)), [])
        for old, new in (("USER 65532:65532", "USER root"), ("USER 65532:65532\n", ""), ("debian:12-slim\nSHELL", "debian:12\nSHELL"),
                         ("rm -rf /var", "apt-get install -y python3 && rm -rf /var"),
                         ("COPY models/demo", "ADD https://example.org/models/demo")):
            self.assertIn(old, text)
            self.assertNotEqual(list(problems(text.replace(old, new))), [], new)

    def test_the_packages_are_those_whose_libraries_the_programs_need(self):
        needed = set()
        for program in SERVING:
            done = subprocess.run(["readelf", "-d", PROGRAMS / program], capture_output=True, text=True, timeout=60)
            needed |= set(re.findall(r"\(NEEDED\).*\[(.+)\]", done.stdout))
        self.assertIn("libzmq.so.5", needed)
        files = [name for name in needed if not OF_DEBIAN.match(name) and not OF_LIBTORCH.match(name)]
        listed = [line for line in (tools.SOURCE / "deploy" / "packages-runtime.txt").read_text().splitlines()
                  if line and not line.startswith("#")]
        owned = set()
        for package in listed:
            done = subprocess.run(["dpkg-query", "-L", package], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            own = {pathlib.PurePath(path).name for path in done.stdout.splitlines()}
            self.assertTrue(own & set(files), f"{package} is not needed")
            owned |= own
        self.assertEqual([name for name in files if name not in owned], [])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
