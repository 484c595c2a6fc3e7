"""Two hosts on one machine: network namespaces with a cable between them. Needs root, or skips with the reason."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import unittest

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def require_namespaces():
    if not shutil.which("ip"):
        raise unittest.SkipTest("ip (iproute2) is not installed")
    name = f"sida-probe-{os.getpid()}"
    try:
        ip("netns", "add", name)
        ip("netns", "del", name)
    except RuntimeError as error:
        raise unittest.SkipTest(f"this machine lets nobody make network namespaces: {error}")


class Host:
    """A namespace with addresses of its own."""

    def __init__(self, name, addresses):
        self.name = f"sida-{os.getpid()}-{name}"
        self.addresses = addresses
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")

    def command(self, *arguments):
        return ["ip", "netns", "exec", self.name, *map(str, arguments)]

    @contextlib.contextmanager
    def entered(self):
        """Sockets that this thread makes inside are the host's."""
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        inside = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if libc.setns(inside, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if libc.setns(outside, CLONE_NEWNET) != 0:
                    os.abort()  # The thread is lost in there.
        finally:
            os.close(inside)
            os.close(outside)


class TwoHosts:
    """`with TwoHosts() as (first, second):`, 10.0.0.1 and 10.0.0.2 to 10.0.0.4."""

    def __enter__(self):
        self.hosts = []
        try:
            for name, addresses in (("a", ["10.0.0.1"]), ("b", ["10.0.0.2", "10.0.0.3", "10.0.0.4"])):
                self.hosts.append(Host(name, addresses))
            first, second = self.hosts
            ip("-n", first.name, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", second.name)
            for host in self.hosts:
                for address in host.addresses:
                    ip("-n", host.name, "address", "add", f"{address}/24", "dev", "cable")
                ip("-n", host.name, "link", "set", "cable", "up")
        except BaseException:
            self.__exit__()
            raise
        return self.hosts

    def __exit__(self, *_):
        for host in self.hosts:
            ip("netns", "del", host.name)
