#!/usr/bin/env bash
# Installs what is missing, builds the release and runs every test that this machine can run.
#   --full   adds the long tiers: tests labelled "long", both sanitizer builds, clang-tidy, and the two commands of README.md
#            in an empty Debian root
# Ends on ctest's summary and the list of what was skipped and why.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
. deploy/steps.sh

full=no
for argument in "$@"; do
  case $argument in
    --full) full=yes ;;
    -h | --help) sed -n '2,5s/^# //p' "$0"; exit 0 ;;
    *) echo "error: invalid_argument: tests/run.sh knows --full, not '$argument'" >&2; exit 2 ;;
  esac
done

# run_ctest PRESET ARGUMENTS...: shows and logs ctest's output; failures are told at the end.
failed=()
run_ctest() {
  local preset=$1
  shift
  printf '==> Testing (%s)\n' "$preset"
  local status=0
  ctest --test-dir "build/$preset" -j2 --output-on-failure --no-tests=error --output-junit results.xml "$@" 2>&1 |
    tee -a "$log" || status=$?
  [ $status -eq 0 ] || failed+=("$preset")
}

build_and_test() {
  local preset=$1
  shift
  step "Configuring ($preset)" "delete build/$preset and try again" cmake --preset "$preset"
  step "Building ($preset)" "the compiler's message is above" cmake --build --preset "$preset" -j2
  run_ctest "$preset" "$@"
}

begin_log tests
wanted=()
[ $full = no ] || wanted=(--developer)
step "Installing what is missing" "Debian packages need root; PyPI must be reachable" deploy/install-deps.sh "${wanted[@]}"
if [ $full = yes ]; then
  build_and_test asan -LE long
  build_and_test tsan -LE long
  step "Running in an empty Debian root" "debootstrap needs root and the Debian registry" \
    tests/debian_root.sh bash -c "deploy/quickstart.sh && tests/run.sh"
  build_and_test release
  step "Running clang-tidy" "the findings are above; .clang-tidy says what is off and why" tests/clang_tidy.sh build/release 2
else
  build_and_test release -LE long
fi

python3 tests/list_skipped.py build/release/results.xml
[ $full = yes ] || echo "Not run: the long tiers (tests/run.sh --full)."
echo "Log: $log"
[ ${#failed[@]} -eq 0 ] || give_up "tests of ${failed[*]}" "the failing tests are listed above; run one with ctest --test-dir build/release -R NAME"
