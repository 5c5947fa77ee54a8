#!/bin/busybox sh
# First process of a QEMU guest, in its first root (a copy of busybox, the modules, this file): loads the modules, makes
# the guest's root of the host's, read-only, and a layer of memory, and goes on there. The kernel hands on those of its
# parameters that it does not know as variables: $job, $lab.
export PATH=/bin
off() { echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger; } # QEMU ends when the machine starts anew

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r name parameters; do
  insmod "/modules/$name.ko" $parameters || { echo "cannot load $name" >/dev/console; off; }
done </modules/order

share() { mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,"$1" "$2" "$3"; }
mount -t tmpfs -o size=80% tmpfs /memory && mkdir /memory/upper /memory/work || off
share ro,cache=loose root /host || off
mkdir /layer && share ro,cache=loose layer /layer || off
mount -t overlay -o lowerdir=/layer:/host,upperdir=/memory/upper,workdir=/memory/work overlay /root || off
mkdir -p "/root$job" && share rw job "/root$job" || off
for one in proc sys dev; do mount --move "/$one" "/root/$one"; done

# the command's output has the only port: what the kernel says goes to the serial console
port=$(echo /root/sys/class/virtio-ports/*)
restart='echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger'
exec switch_root /root /bin/bash "$lab/job.sh" /bin/sh -c "$restart" >"/root/dev/${port##*/}" 2>/root/dev/console
