# Makes a root file system with a statically linked busybox and nothing else (no Python above all):
#   busybox.sh BUSYBOX OUTPUT.tar
# Runs in PID and mount namespaces of its own, so no mount and no process outlives it.
set -eu
busybox=$1
output=$2
# In this namespace alone, and in memory.
tree=/mnt
mount -t tmpfs -o mode=755 none "$tree"

mkdir -p "$tree/bin" "$tree/dev" "$tree/etc" "$tree/proc" "$tree/sys" "$tree/tmp"
cp "$busybox" "$tree/bin/busybox"
for applet in $("$busybox" --list); do
  [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
done
echo 'root:x:0:0:root:/:/bin/sh' > "$tree/etc/passwd"
tar -C "$tree" -cf "$output.partial" .
sync "$output.partial"
mv "$output.partial" "$output"
