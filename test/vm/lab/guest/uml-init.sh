#!/bin/bash
# First process of user-mode Linux, whose root is the host's, read-only: puts a layer of memory on it and goes on there.
# The kernel hands on those of its parameters that it does not know as variables: $job, $layer, $lab, $modules, $busybox.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

off() { perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc, 0)'; } # reboot(2): power off

if [ "$modules" ]; then "$busybox" insmod "$modules"/*/kernel/fs/overlayfs/overlay.ko; fi
mount -t tmpfs -o size=80% tmpfs /mnt || off
mkdir /mnt/upper /mnt/work /mnt/root /mnt/layer
mount -t hostfs -o "$layer" none /mnt/layer || off # of its own: overlayfs refuses a folder of another layer
mount -t overlay -o lowerdir=/mnt/layer:/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root || off
mount -t hostfs -o "$job" none "/mnt/root$job" || off
if [ "$modules" ]; then
  mkdir -p /mnt/root/lib/modules && mount -n --bind "$modules" /mnt/root/lib/modules || off
  [ -e /mnt/root/sbin/modprobe ] || ln -s "$busybox" /mnt/root/sbin/modprobe
  chroot /mnt/root "$busybox" modprobe ipv6 || off # every node has it; nothing asks for it before it is there
fi
cd /mnt/root && mount -n --move . / || off
exec chroot . /bin/bash "$lab/job.sh" perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc, 0)'
