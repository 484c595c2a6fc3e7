# Sourced by deploy/quickstart.sh and tests/run.sh: named steps with progress, one log file, one line on failure.
# shellcheck shell=bash

# begin_log NAME: everything that steps print goes to build/logs/NAME.log.
begin_log() {
  mkdir -p "$root/build/logs"
  log=$root/build/logs/$1.log
  : >"$log"
  steps_begun=$SECONDS
}

# Copies its input to the log; on a terminal shows the last line, elsewhere a line at each tenth of ninja's count.
show_progress() {
  local line tenth=0
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    if [ -t 1 ]; then
      printf '\r\033[K  %.110s' "$line"
    elif [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] && ((10 * BASH_REMATCH[1] / BASH_REMATCH[2] > tenth)); then
      tenth=$((10 * BASH_REMATCH[1] / BASH_REMATCH[2]))
      printf '  %d of %d\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    fi
  done
  [ ! -t 1 ] || printf '\r\033[K'
}

# step WHAT HINT COMMAND...: runs the command; on failure shows the end of the log, then what failed and the hint.
step() {
  local what=$1 hint=$2 begun=$SECONDS
  shift 2
  printf '==> %s\n' "$what"
  printf '==> %s: %s\n' "$what" "$*" >>"$log"
  if ! "$@" 2>&1 </dev/null | show_progress; then
    tail -n 25 "$log" | sed 's/^/    /' >&2
    give_up "$what" "$hint"
  fi
  printf '    done in %d s\n' $((SECONDS - begun))
}

# give_up WHAT HINT: the one line on failure, and the end.
give_up() {
  echo "error: failed: $1; $2 (log: $log)" >&2
  exit 1
}

