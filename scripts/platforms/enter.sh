#!/bin/sh
# Runs a command in a root file system, with the checkout at /package and binaries laid over it:
#
#   enter.sh ROOT CHECKOUT BINARIES CACHE EMULATOR COMMAND...
#
# EMULATOR: what runs programs of another machine, or nothing. All of it is in namespaces of its own and ends with
# them. Those of a user are the whole point of the first half: in one, binfmt_misc is its own, too.
set -eu

if [ "$1" = --inside ]; then
  shift
  root=$1 checkout=$2 binaries=$3 cache=$4 emulator=$5
  shift 5
  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount --rbind /dev "$root/dev"
  mount --rbind /sys "$root/sys"
  mount --rbind /run "$root/run"
  mount -t proc proc "$root/proc"
  mount -t tmpfs none "$root/tmp"
  mount --bind "$cache" "$root/root/.cache/scientist-pool"
  # What a test writes is gone afterwards.
  mkdir "$root/tmp/upper" "$root/tmp/work"
  mount -t overlay -o "lowerdir=$binaries:$checkout,upperdir=$root/tmp/upper,workdir=$root/tmp/work" none "$root/package"
  mount -t tmpfs none "$root/tmp"
  chmod 1777 "$root/tmp"
  if [ -n "$emulator" ]; then
    mount -t binfmt_misc none "$root/proc/sys/fs/binfmt_misc"
    # ELF for AArch64. F: the emulator is opened now, P: and told by what name a program was called.
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":emulated:M::$magic:$mask:$emulator:FP" > "$root/proc/sys/fs/binfmt_misc/register"
  fi
  cd "$root"
  pivot_root . .
  umount -l .
  cd /package
  export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  exec "$@"
fi

if [ -z "$5" ]; then
  exec unshare --mount --pid --fork --kill-child sh "$0" --inside "$@"
fi
gate=$(mktemp -u)
mkfifo "$gate"
unshare --user --mount --pid --fork --kill-child sh -c 'read -r _ < "$0" && exec sh "$@"' "$gate" "$0" --inside "$@" &
inside=$!
# Every user there is, which only who is outside may say.
while [ "$(readlink /proc/$inside/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.05; done
echo '0 0 4294967295' > /proc/$inside/uid_map
echo '0 0 4294967295' > /proc/$inside/gid_map
echo > "$gate"
rm "$gate"
wait $inside
