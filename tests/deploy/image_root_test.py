"""The image's steps work: its last stage is carried out in an empty Debian root, with what `cmake --install` of this build
gives for its first one. Then the demo runs in that root, which nobody can write, as the image's user, and answers."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import dockerfile
import tools

PROGRAMS = pathlib.Path(os.environ.get("SIDA_PROGRAMS", tools.SOURCE / "build" / "release" / "bin"))
INSIDE = pathlib.Path(__file__).resolve().with_name("image_inside.sh")
PROMPT = "topic: a large ship that carries goods across the sea"
# How this machine reaches Debian's registry.
REGISTRY = ("etc/resolv.conf", "etc/hosts", "etc/apt/apt.conf.d", "etc/ssl/certs")


def call(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=1200, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@unittest.skipUnless(os.geteuid() == 0, "an empty Debian root can only be made as root")
@unittest.skipUnless(shutil.which("debootstrap"), "debootstrap is not installed")
class ImageRoot(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sida-image-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.root = self.folder / "root"

    def install(self, prefix):
        """What RUN does in the first stage, but for the compiling, which this build has done."""
        build = PROGRAMS.parent
        call("cmake", "--install", build, "--strip", "--prefix", prefix)
        call("cmake", "--install", build, "--component", "libtorch", "--prefix", prefix)

    def copy(self, rest):
        words = rest.split()
        context = tools.SOURCE
        if words[0].startswith("--"):
            self.assertEqual(words.pop(0), "--from=build")
            context = self.folder / "build"
        *sources, target = words
        into = self.root / target.lstrip("/")
        for source in sources:
            found = context / source.lstrip("/")
            if found.is_dir():
                shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True)
            else:
                self.assertTrue(target.endswith("/"), rest)
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, into)

    def run_in_root(self, shell, rest):
        call("unshare", "--mount", "--pid", "--fork", "--mount-proc=" + str(self.root / "proc"), "chroot", self.root,
             *shell, rest, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"})

    def make(self):
        call("debootstrap", "--variant=minbase", "bookworm", self.root)
        for name in REGISTRY:
            source, target = pathlib.Path("/") / name, self.root / name
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy2(source, target)
        self.install(self.folder / "build" / "opt" / "sida")
        shell, path, user = ["/bin/sh", "-c"], "", ""
        *_, stage = dockerfile.stages(dockerfile.PATH.read_text())
        for word, rest in stage:
            if word == "SHELL":
                shell = [part.strip(' "') for part in rest.strip("[]").split(",")]
            elif word == "COPY":
                self.copy(rest)
            elif word == "RUN":
                self.run_in_root(shell, rest)
            elif word == "ENV":
                self.assertTrue(rest.startswith("PATH="), rest)
                path = rest.removeprefix("PATH=")
            elif word == "USER":
                user = rest
            else:
                self.assertIn(word, ("FROM", "CMD"))
        return path, user

    def test_the_demo_answers_in_the_image(self):
        path, user = self.make()
        shutil.copytree(tools.SOURCE / "deploy" / "examples" / "one-box", self.root / "etc" / "sida")
        said = call("unshare", "--mount", "--pid", "--net", "--fork", "bash", INSIDE, self.root, user, path, PROMPT)
        self.assertIn("answer: artifact", said)
        size = int(call("du", "-sm", self.root).split()[0])
        print(f"the image's root takes {size} MB")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
