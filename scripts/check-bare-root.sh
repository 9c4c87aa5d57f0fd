#!/usr/bin/env bash
# Shows that both commands of the README work on a bare Debian 12.
#
# usage: scripts/check-bare-root.sh [--worktree] [--keep] FOLDER [COMMAND...]
#   FOLDER      made new, holds the root file system; must not exist
#   --worktree  takes the files as they are here, not what is committed
#   --keep      leaves FOLDER behind
#   COMMAND     what to run in the clone (default: ./run, ./run again, ./check); the times are printed
# Needs root, debootstrap, and the Debian mirror that this machine's apt uses. The root has git and
# ca-certificates and nothing else beyond the minimal system.
set -euo pipefail

usage() {
  sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

worktree='' keep=''
while [[ ${1:-} == --* ]]; do
  case $1 in
    --worktree) worktree=1 ;;
    --keep) keep=1 ;;
    *) usage ;;
  esac
  shift
done
[[ $# -ge 1 ]] || usage
root=$1
shift
commands=("$@")
[[ $# -gt 0 ]] || commands=(./run ./run ./check)

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
[[ $(id -u) -eq 0 ]] || { echo "this takes root" >&2; exit 1; }
[[ ! -e $root ]] || { echo "$root exists already; name a folder that does not" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }

# The mirror, the proxies and the certificates of this machine, if it has its own.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
  grep -oE '^(deb |URIs:).*https?://[^ ]*/debian/?( |$)' | grep -oE 'https?://[^ ]+' | head -n 1 || true)
proxies=$(apt-config dump 2>/dev/null | grep -E '^Acquire::https?::(.*::)?Proxy' || true)

echo "making a bare Debian 12 in $root"
mkdir -p "$root"
root=$(cd "$root" && pwd -P)
[[ $keep ]] || trap 'rm -rf --one-file-system "$root"' EXIT
debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" "${mirror:-http://deb.debian.org/debian}" \
  >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; echo "debootstrap failed; its log is $root.log" >&2; exit 1; }
rm -f "$root.log"
cp /etc/resolv.conf "$root/etc/resolv.conf"
[[ -z $proxies ]] || echo "$proxies" >"$root/etc/apt/apt.conf.d/90host"
# Behind a proxy that signs for others, pip must be told where they are: it brings a list of its own.
variables=()
if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
  cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
  chroot "$root" update-ca-certificates >/dev/null 2>&1
  variables+=(PIP_CERT=/etc/ssl/certs/ca-certificates.crt)
fi

if [[ $worktree ]]; then
  mkdir "$root/braid"
  (cd "$repository" && git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
    tar --null -T - -c) | tar -C "$root/braid" -x --no-same-owner
else
  git -C "$repository" bundle create -q "$root/braid.bundle" HEAD
  chroot "$root" git -c advice.detachedHead=false clone -q /braid.bundle /braid
fi

inside() {
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  mount --rbind /sys "$1/sys"
  for command in "${@:3}"; do
    echo "--- $command"
    start=$(date +%s.%N)
    code=0
    chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb $2 \
      bash -c "cd /braid && $command" || code=$?
    printf -- '--- %s: exit %d after %.1f s\n' "$command" "$code" "$(date +%s.%N | awk -v s="$start" '{print $1 - s}')"
    [[ $code -eq 0 ]] || return 1
  done
}
# In a mount namespace of its own, so that nothing stays mounted whatever happens.
export -f inside
unshare --mount --propagation private bash -euc 'inside "$@"' inside "$root" "${variables[*]}" "${commands[@]}"
