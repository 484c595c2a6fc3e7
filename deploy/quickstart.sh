#!/usr/bin/env bash
# From nothing to an answer: installs what is missing, builds the release, starts one predictor, one router and two
# expert-workers with the bundled demo model, and answers two prompts. Then stops everything.
#   --serve          leaves the cluster running in the foreground; Ctrl-C ends it
#   --prompt TEXT    asks this instead
#   --model DIR      serves this model directory instead of models/demo
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
. deploy/steps.sh

serve=no
model=models/demo
prompts=("topic: a large ship that carries goods across the sea"
  "In the beginning God <extra_id_0> the heaven and the <extra_id_1>.")
while [ $# -gt 0 ]; do
  case $1 in
    --serve) serve=yes ;;
    --prompt | --model)
      [ $# -ge 2 ] || { echo "error: invalid_argument: $1 needs a value" >&2; exit 2; }
      if [ "$1" = --model ]; then model=$2; else prompts=("$2"); fi
      shift ;;
    -h | --help) sed -n '2,6s/^# //p' "$0"; exit 0 ;;
    *) echo "error: invalid_argument: quickstart.sh --help tells what there is; '$1' is not" >&2; exit 2 ;;
  esac
  shift
done

cluster_pid=
stop_cluster() {
  [ -z "$cluster_pid" ] || kill "$cluster_pid" 2>/dev/null || true
  [ -z "$cluster_pid" ] || wait "$cluster_pid" 2>/dev/null || true
  cluster_pid=
}

# Starts the cluster and reads what it prints until "ready: URL ... ADMIN-URL"; sets url and admin_url.
start_cluster() {
  local line
  exec {cluster_output}< <(exec build/release/bin/sida serve --model "$model" --workers 2 "$@" 2>&1)
  cluster_pid=$!
  trap stop_cluster EXIT
  while IFS= read -r -t 300 -u "$cluster_output" line; do
    printf '%s\n' "$line" >>"$log"
    if [[ $line =~ ^ready:\ (http[^ ]+).*\ (http[^ ]+)$ ]]; then
      url=${BASH_REMATCH[1]} admin_url=${BASH_REMATCH[2]}
      cat <&"$cluster_output" >>"$log" &
      return 0
    fi
  done
  tail -n 25 "$log" | sed 's/^/    /' >&2
  give_up "starting the cluster" "the reason is above; sida check --model $model looks the model over"
}

begin_log quickstart
step "Installing what is missing" "Debian packages need root; PyPI must be reachable" deploy/install-deps.sh
step "Configuring" "delete build/release and try again" cmake --preset release
step "Building" "the compiler's message is above" \
  cmake --build --preset release -j"$(nproc)" --target sida sida-router sida-predictor sida-expert-worker

ports=(--port 0 --admin-port 0)  # Any free ones: the demonstration must not collide with a server that runs.
[ $serve = no ] || ports=()
echo "==> Starting one predictor, one router and two expert-workers"
start_cluster "${ports[@]}"
for prompt in "${prompts[@]}"; do
  echo "==> Asking: $prompt"
  build/release/bin/sida generate --url "$url" --prompt "$prompt" --max-new-tokens 16 --show-experts 2>&1 | tee -a "$log" ||
    give_up "generating" "the reason is above"
done
echo "==> The cluster"
build/release/bin/sida status --url "$admin_url" 2>&1 | tee -a "$log" || give_up "asking for the status" "the reason is above"
echo "    API: $url/v1/completions"
echo "    Dashboard: $admin_url/"
if [ $serve = yes ]; then
  echo "Serving until Ctrl-C."
  wait "$cluster_pid" || true
else
  stop_cluster
  echo "Stopped. Keep it running with: deploy/quickstart.sh --serve"
fi
echo "Done in $((SECONDS - steps_begun)) s. Log: $log"
