#!/usr/bin/env bash
# Runs a command of this repository in an empty Debian 12 root, in a copy of the committed files: proves that nothing
# installed by hand is needed. Needs root and debootstrap.
#   tests/debian_root.sh [COMMAND...]      default: deploy/quickstart.sh
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" -eq 0 ] || { echo "error: unavailable: an empty Debian root can only be made as root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "error: unavailable: apt-get install debootstrap" >&2; exit 1; }
[ $# -gt 0 ] || set -- deploy/quickstart.sh

jail=$(mktemp -d "${TMPDIR:-/tmp}/sida-debian.XXXXXX")
trap 'rm -rf "$jail"' EXIT
debootstrap --variant=minbase bookworm "$jail"
# How this machine reaches the registries: names, proxies, certificates.
cp /etc/resolv.conf /etc/hosts "$jail/etc/"
cp /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf.d/*registry* "$jail/etc/apt/apt.conf.d/" 2>/dev/null || true
[ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$jail/etc/"
mkdir -p "$jail/etc/ssl/certs" "$jail/src"
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$jail/etc/ssl/certs/host.crt"
git -C "$root" archive HEAD | tar -x -C "$jail/src"

# A private mount and process namespace: whatever the command leaves behind ends with it.
unshare --mount --pid --fork bash -ec '
  jail=$1
  shift
  mount -t proc proc "$jail/proc"
  mount -t tmpfs tmpfs "$jail/dev/shm" 2>/dev/null || { mkdir -p "$jail/dev/shm"; mount -t tmpfs tmpfs "$jail/dev/shm"; }
  exec chroot "$jail" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 \
    PIP_CERT=/etc/ssl/certs/host.crt /bin/bash -c "cd /src && exec \"\$@\"" run "$@"
' inside "$jail" "$@"
