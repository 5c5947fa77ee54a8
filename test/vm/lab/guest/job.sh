#!/bin/bash
# First process of a guest once its root is complete: mounts what a machine has, runs $job/command, leaves its exit
# status in $job/status. The folder $job is the host's. Ends the guest by running "$@".
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock
[ ! -d /sys/kernel/debug ] || mount -t debugfs debugfs /sys/kernel/debug
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
echo node1 >/proc/sys/kernel/hostname
ulimit -n 65536
stty -F /dev/console -opost # a line ends as it was written

# Through a pipe: whoever runs here is not at a terminal.
/bin/bash "$job/command" </dev/null 2>&1 | cat
echo "${PIPESTATUS[0]}" >"$job/status"
sync
"$@"
