#!/usr/bin/env bash
# Makes the Python environment of the peers in ${SIDA_CACHE:-~/.cache/sida}/peers. Does nothing where it is there.
#   --base VENV   takes torch, transformers and the rest from this environment, and adds only what it lacks. Without it
#                 everything comes from PyPI: some 3 GB, since torch's wheels there bring CUDA along.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${SIDA_CACHE:-$HOME/.cache/sida}/peers
base=
case ${1:-} in
  "") ;;
  --base) base=${2:?"error: invalid_argument: --base needs a folder"} ;;
  *) echo "error: invalid_argument: environment.sh knows --base VENV, not '$1'" >&2; exit 2 ;;
esac

check='import torch, transformers, accelerate; print("torch", torch.__version__, "transformers", transformers.__version__, "accelerate", accelerate.__version__)'
if [ -x "$target/bin/python" ] && "$target/bin/python" -c "$check" 2>/dev/null; then
  echo "Peers: already in $target"
  exit 0
fi
rm -rf "$target"
echo "Making $target"
if [ -n "$base" ]; then
  "$base/bin/python" -m venv "$target"
  packages=$("$target/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  "$base/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$packages/base.pth"
  # Without their dependencies, which are there: pip would fetch torch again.
  "$target/bin/python" -m pip install --quiet --no-deps -r <(grep -E '^(accelerate|psutil)' "$here/requirements.txt")
else
  python3 -m venv "$target"
  "$target/bin/python" -m pip install -r "$here/requirements.txt"
fi
"$target/bin/python" -c "$check"
