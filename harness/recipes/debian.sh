# Makes a root file system with packages of a Debian suite, Python among them, and writes it to a tar file:
#   debian.sh SUITE PACKAGE,PACKAGE OUTPUT.tar
# SCIENTIST_POOL_DEBIAN_MIRROR names another mirror than debootstrap's own choice.
# Runs in PID and mount namespaces of its own, so no mount and no process outlives it.
set -eu
suite=$1
packages=$2
output=$3
# In memory: debootstrap syncs after every package. And in this namespace alone: nobody else sees
# this mount, which ends with the namespace.
tree=/mnt
mount -t tmpfs -o mode=755,dev,exec,suid,size=1g none "$tree"
debootstrap --variant=minbase --include="$packages" "$suite" "$tree" \
  ${SCIENTIST_POOL_DEBIAN_MIRROR:+"$SCIENTIST_POOL_DEBIAN_MIRROR"}

cd "$tree"
# What a container that only runs programs has no use for.
rm -rf var/cache/apt/* var/cache/debconf/*-old var/lib/apt/lists/* var/log/* \
  usr/share/doc/* usr/share/info/* usr/share/locale/* usr/share/man/* usr/share/lintian/* debootstrap
# The official images have both names.
ln -s /usr/bin/python3 usr/local/bin/python
ln -s /usr/bin/python3 usr/local/bin/python3
tar --one-file-system --sort=name --exclude='./proc/*' --exclude='./sys/*' -cf "$output.partial" .
# Whole or not at all: a reader never finds half an image under the final name.
sync "$output.partial"
mv "$output.partial" "$output"
