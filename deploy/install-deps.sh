#!/usr/bin/env bash
# Installs what building sida needs and is missing: Debian packages (deploy/packages.txt) and LibTorch, unpacked from
# PyPI wheels into ${SIDA_CACHE:-~/.cache/sida}/libtorch-2.11.0. Does nothing where all is there.
#   --packages-only   leaves LibTorch out (for a build with -DSIDA_LIBTORCH=DIR)
#   --developer       installs what developing needs too (deploy/packages-developer.txt): clang-tidy, debootstrap, fuzzing
#   --cuda            unpacks LibTorch's CUDA libraries too
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

want_torch=yes
want_cuda=no
package_lists=("$here/packages.txt")
for argument in "$@"; do
  case $argument in
    --packages-only) want_torch=no ;;
    --developer) package_lists+=("$here/packages-developer.txt") ;;
    --cuda) want_cuda=yes ;;
    *) echo "error: invalid_argument: install-deps.sh knows --packages-only, --developer and --cuda, not '$argument'" >&2; exit 2 ;;
  esac
done

packages_missing() {
  local package
  grep -hvE '^(#|$)' "${package_lists[@]}" | while read -r package; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
  done
}

install_packages() {
  command -v dpkg-query >/dev/null || {
    echo "error: unavailable: this is no Debian system; install the equivalents of deploy/packages.txt by hand" >&2
    return 1
  }
  local missing
  missing=$(packages_missing)
  [ -n "$missing" ] || { echo "Debian packages: all installed"; return 0; }
  if [ "$(id -u)" -ne 0 ]; then
    echo "error: unavailable: missing Debian packages; as root run: apt-get install --no-install-recommends $missing" >&2
    return 1
  fi
  echo "Installing Debian packages: $missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update
  # shellcheck disable=SC2086  # A list of names.
  apt-get install -y --no-install-recommends $missing
}

# Unpacks the parts of the wheels that a C++ program needs: headers, CPU libraries, licences.
unpack_wheels() {
  python3 - "$1" "$2" "$want_cuda" <<'PYTHON'
import pathlib, re, sys, zipfile

wheels, target, cuda = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3] == "yes"
wanted = [r"torch/include/.*", r"torch/lib/(libc10|libtorch_cpu)\.so", r"torch/lib/libgomp\.so\.1",
          r"nvidia/cu13/lib/(libcudart|libcupti)\.so\.13", r"[^/]+\.dist-info/licenses/.*"]
if cuda:
    wanted.append(r"torch/lib/lib(c10_cuda|torch_cuda|torch_cuda_linalg|torch_nvshmem|torch)\.so")
pattern = re.compile("|".join(wanted))
for wheel in sorted(wheels.glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target, [name for name in archive.namelist() if pattern.fullmatch(name)])
PYTHON
}

install_libtorch() {
  local cache=${SIDA_CACHE:-$HOME/.cache/sida}
  local target=$cache/libtorch-2.11.0
  local last=$target/torch/lib/libtorch_cpu.so
  [ $want_cuda = no ] || last=$target/torch/lib/libtorch_cuda.so
  [ ! -e "$last" ] || { echo "LibTorch: already in $target"; return 0; }
  [ "$(uname -m)" = x86_64 ] || {
    echo "error: unavailable: LibTorch is fetched for x86_64 only; build with -DSIDA_LIBTORCH=DIR of a LibTorch 2.9 or later" >&2
    return 1
  }
  mkdir -p "$cache"
  exec 9>"$cache/libtorch.lock"
  flock 9  # A second caller waits, then finds the work done.
  [ ! -e "$last" ] || return 0

  local partial=$cache/libtorch-2.11.0.partial
  rm -rf "$partial"
  mkdir -p "$partial/wheels"
  echo "Fetching LibTorch 2.11.0 (530 MB)"
  python3 -m pip download --no-deps --no-cache-dir --require-hashes --only-binary=:all: --implementation cp \
    --python-version 3.11 --abi cp311 --abi none --abi abi3 \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 \
    --platform manylinux2014_x86_64 --dest "$partial/wheels" -r "$here/libtorch.txt"
  echo "Unpacking LibTorch"
  unpack_wheels "$partial/wheels" "$partial"
  rm -rf "$partial/wheels" "$target"
  mv "$partial" "$target"
  echo "LibTorch: unpacked into $target ($(du -sh "$target" | cut -f1))"
}

install_packages
[ $want_torch = no ] || install_libtorch
