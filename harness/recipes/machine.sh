# Makes the disk of a virtual machine with packages of a Debian suite, its kernel beside it:
#   machine.sh SUITE "PACKAGE PACKAGE" AGENT OUTPUT
# OUTPUT becomes a folder with `disk`, `vmlinuz` and `initrd`. AGENT is the program that the machine starts.
# SCIENTIST_POOL_DEBIAN_MIRROR names another mirror than debootstrap's own choice.
# Runs in PID and mount namespaces of its own, so no mount and no process outlives it.
set -eu
suite=$1
packages=$2
agent=$3
output=$4
# In memory, as dpkg syncs after every package; and in this namespace alone.
tree=/mnt
mount -t tmpfs -o mode=755,dev,exec,suid,size=4g none "$tree"
debootstrap --variant=minbase \
  --include=systemd,systemd-sysv,libpam-systemd,dbus,dbus-user-session,udev,kmod,ca-certificates,initramfs-tools,python3 \
  "$suite" "$tree" ${SCIENTIST_POOL_DEBIAN_MIRROR:+"$SCIENTIST_POOL_DEBIAN_MIRROR"}

# No service starts while the disk is made.
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
chmod +x "$tree/usr/sbin/policy-rc.d"
mount -t proc proc "$tree/proc"
# What a machine without a display, or a way out, has no use for; the modules that the disk takes are enough.
mkdir -p "$tree/etc/initramfs-tools/conf.d"
echo 'MODULES=list' >"$tree/etc/initramfs-tools/conf.d/machine"
printf 'virtio_pci\nvirtio_blk\next4\n' >>"$tree/etc/initramfs-tools/modules"
chroot "$tree" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
  apt-get install -q -y --no-install-recommends linux-image-cloud-amd64 $packages
umount "$tree/proc"

cd "$tree"
rm -rf usr/sbin/policy-rc.d var/cache/apt/* var/lib/apt/lists/* usr/share/doc/* usr/share/info/* usr/share/locale/* usr/share/man/*
echo machine >etc/hostname
echo '127.0.0.1 localhost machine' >etc/hosts
: >etc/resolv.conf
rm -f etc/machine-id
echo uninitialized >etc/machine-id
echo '/dev/vda / ext4 defaults 0 1' >etc/fstab
install -m 755 "$agent" usr/local/sbin/agent
cat >etc/systemd/system/agent.service <<'UNIT'
[Unit]
After=dbus.socket systemd-user-sessions.service
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/local/sbin/agent
# The port may come later than this.
Restart=on-failure
RestartSec=1
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
UNIT
# Engines are started by those who want one.
for unit in docker.service docker.socket containerd.service podman.service podman.socket podman-restart.service \
  podman-auto-update.timer podman-auto-update.service ssh.service ssh.socket apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service logrotate.timer \
  getty@tty1.service serial-getty@ttyS0.service; do
  chroot . systemctl disable "$unit" 2>/dev/null || :
done
chroot . systemctl mask getty@.service serial-getty@ttyS0.service systemd-networkd.service systemd-networkd.socket \
  cni-dhcp.service cni-dhcp.socket systemd-timesyncd.service ldconfig.service man-db.timer
# Kept in memory: nobody reads it afterwards.
mkdir -p etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nForwardToSyslog=no\n' >etc/systemd/journald.conf.d/machine.conf
chroot . systemctl enable agent.service
chroot . systemctl set-default multi-user.target
# An ordinary user.
chroot . useradd --create-home --shell /bin/bash --uid 1000 user

part=$output.partial
rm -rf "$part"
mkdir -p "$part"
cp boot/vmlinuz-* "$part/vmlinuz"
cp boot/initrd.img-* "$part/initrd"
# Sparse: what is free takes no room here.
truncate -s 12G "$part/disk"
mke2fs -q -F -t ext4 -O ^has_journal -E lazy_itable_init=1,root_owner=0:0 -d . "$part/disk"
mv "$part" "$output"
