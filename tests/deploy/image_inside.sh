#!/usr/bin/env bash
# Called by image_root_test.py in namespaces of its own: ROOT USER PATH PROMPT. Runs deploy/examples/one-box in the root, as
# a container would: read-only, as USER, without privileges, /run/sida in memory, a network with nothing but loopback.
set -euo pipefail
root=$1 user=$2 path=$3 prompt=$4
ip link set lo up
mount --bind "$root" "$root"
mkdir -p "$root/run/sida" "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o "uid=${user%:*},gid=${user#*:},mode=0700" tmpfs "$root/run/sida"
for device in null urandom; do
  [ -e "$root/dev/$device" ] || touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"

model=/usr/share/sida/models/demo
inside() {
  chroot --userspec="$user" "$root" /usr/bin/env -i PATH="$path" HOME=/ "SIDA_MODEL=$model" "SIDA_PREDICTOR=$model/predictor" \
    setpriv --no-new-privs "$@"
}

inside bash -c '
  [ "$(id -u)" -ne 0 ]
  ! touch /here 2>/dev/null
  for tool in python3 gcc cmake nvcc; do ! command -v "$tool" || { echo "the image has $tool"; exit 1; }; done'

inside sida-predictor --config /etc/sida/predictor.yaml &
inside sida-expert-worker --config /etc/sida/worker-0.yaml &
inside sida-expert-worker --config /etc/sida/worker-1.yaml &
inside sida-router --config /etc/sida/router.yaml &
for _ in $(seq 600); do
  inside sida status --url http://127.0.0.1:8001 >/dev/null 2>&1 && break
  sleep 0.2
done
inside sida status --url http://127.0.0.1:8001
echo "answer: $(inside sida generate --url http://127.0.0.1:8000 --prompt "$prompt" --max-new-tokens 8)"
kill $(jobs -p)
wait
