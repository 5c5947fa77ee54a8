/**
 * Which of a PF's network devices is its own. With an embedded switch (switchdev) its folder has those that stand for
 * ports of the switch, too (representors): their names of the port (IFLA_PHYS_PORT_NAME, devlink_port_attrs) tell which.
 */
import type { NativeLink } from '../node/native.ts';

/** "pf0vf3" of a VF, "pf0sf1", "c1pf0" of another host's PF; the PF's own are "", "p0", "p0s1". */
export function isRepresentor(portName: string): boolean {
  return /^(c\d+)?pf\d/.test(portName);
}

/** An InfiniBand partition has its device's address, and is not the device's only interface. */
export function isPartition({ kind, parentIndex }: NativeLink): boolean {
  return kind === 'ipoib' && parentIndex !== 0;
}

/** Can it be the PF's own, of which its VFs are asked? More than one can where a device has two ports (mlx4). */
export function isUplink(link: NativeLink): boolean {
  return !isRepresentor(link.portName) && !isPartition(link);
}
