#!/usr/bin/env bash
# Runs clang-tidy with the tree's settings (.clang-tidy) over all code that a build compiles; findings are errors.
#   tests/clang_tidy.sh BUILD-FOLDER [PROCESSES] [PATH-PREFIX...]     e.g. tests/clang_tidy.sh build/release 2 router/
# Files that include LibTorch are slow and come last. Clang 14 knows coroutines but does not say so to libstdc++ and Boost,
# so that is said for it.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
processes=${2:-$(nproc)}
shift $(($# < 2 ? $# : 2))

python3 - "$PWD" "$build" "$@" <<'EOF' | xargs -P "$processes" -n 1 clang-tidy --quiet -p "$build" \
  --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument \
  --extra-arg=-D__cpp_impl_coroutine=201902L --extra-arg=-DBOOST_ASIO_HAS_CO_AWAIT=1 \
  --extra-arg=-DBOOST_ASIO_HAS_STD_COROUTINE=1
import json, os, sys
root, build, wanted = sys.argv[1], sys.argv[2], tuple(sys.argv[3:])
files = {}
for entry in json.load(open(os.path.join(build, "compile_commands.json"))):
    path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), root)
    if path.startswith("..") or (wanted and not path.startswith(wanted)):
        continue
    files[path] = ("torch" in entry["command"], path.startswith("tests/"), path)
print("\n".join(sorted(files, key=files.get)))
EOF
