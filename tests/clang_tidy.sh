#!/usr/bin/env bash
# Runs clang-tidy with the tree's settings (.clang-tidy) over all code that a build compiles; findings are errors.
#   tests/clang_tidy.sh BUILD-FOLDER [PROCESSES] [PATH-PREFIX...]     e.g. tests/clang_tidy.sh build/release 2 router/
# Files that include LibTorch are slow and come last. Clang 14 knows coroutines but does not say so to libstdc++ and Boost,
# so that is said for it; and it cannot read the other compiler's precompiled headers, so they are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
processes=${2:-$(nproc)}
shift $(($# < 2 ? $# : 2))
commands=$(mktemp -d "${TMPDIR:-/tmp}/sida-tidy.XXXXXX")
trap 'rm -rf "$commands"' EXIT

python3 - "$PWD" "$build" "$commands" "$@" <<'EOF' | xargs -P "$processes" -n 1 clang-tidy --quiet -p "$commands" \
  --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument \
  --extra-arg=-D__cpp_impl_coroutine=201902L --extra-arg=-DBOOST_ASIO_HAS_CO_AWAIT=1 \
  --extra-arg=-DBOOST_ASIO_HAS_STD_COROUTINE=1
import json, os, re, sys
root, build, commands, wanted = sys.argv[1], sys.argv[2], sys.argv[3], tuple(sys.argv[4:])
with open(os.path.join(build, "compile_commands.json")) as file:
    entries = json.load(file)
files = {}
for entry in entries:
    entry["command"] = re.sub(r" -Winvalid-pch -include \S+/cmake_pch\.hxx", "", entry["command"])
    path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), root)
    if not path.startswith(("..", "build/")) and (not wanted or path.startswith(wanted)):
        files[path] = ("torch" in entry["command"], path.startswith("tests/"), path)
with open(os.path.join(commands, "compile_commands.json"), "w") as file:
    json.dump(entries, file)
print("\n".join(sorted(files, key=files.get)))
EOF
