/** Is the VF there, as the PCI bus tells it, and does it have a driver? */
import { quote } from '../../cni/quote.ts';
import { advise } from '../mend.ts';
import type { Check, PfDevice, VfDevice } from '../model.ts';
import { type Audited, check } from './check.ts';

const ADDRESS = /^([0-9a-f]+):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/;

interface RoutingId {
  domain: string;
  id: number;
}

/** Bus, device and function as the one number that they are on the bus; undefined for what is no PCI address. */
function routingId(address: string): RoutingId | undefined {
  const [, domain = '', bus = '', device = '', fn = ''] = ADDRESS.exec(address) ?? [];
  if (domain === '') return undefined;
  return { domain, id: Number.parseInt(bus, 16) * 256 + Number.parseInt(device, 16) * 8 + Number(fn) };
}

function addressOf({ domain, id }: RoutingId): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `${domain}:${hex(id >> 8)}:${hex((id >> 3) & 31)}.${id & 7}`;
}

/** Where VF N has to be (PCI Express SR-IOV 3.3.9, 3.3.10); undefined where the bus does not tell. */
function expectedAddress({ address, offset, stride }: PfDevice, index: number): string | undefined {
  const pf = routingId(address);
  if (pf === undefined || offset === undefined || stride === undefined) return undefined;
  return addressOf({ domain: pf.domain, id: pf.id + offset + index * stride });
}

function linksProblem(pf: PfDevice, device: VfDevice): (Partial<Check> & { message: string }) | undefined {
  if (device.physfn !== pf.address) {
    const message = `must lead back to its PF ${pf.address} ("physfn"), it leads to ${quote(device.physfn)}`;
    return { message, expected: pf.address, actual: device.physfn };
  }
  const expected = expectedAddress(pf, device.index);
  if (expected === undefined || expected === device.address) return undefined;
  const message = `must be at ${expected} by the offset and stride of its PF, it is at ${device.address}`;
  return { message, expected, actual: device.address };
}

/** @returns "vf-exists": sysfs has the VF where it has to be, and netlink speaks of as many */
export function existsCheck({ pf, vf }: Audited): Check {
  const { index, device } = vf;
  if (index >= pf.numVfs) {
    const message = `is VF ${index}, but the PF has ${pf.numVfs} VFs`;
    return check('vf-exists', 'fail', message, { expected: `an index below ${pf.numVfs}`, actual: String(index) });
  }
  if (pf.device === undefined || pf.device.vfs.length === 0) {
    return check('vf-exists', 'pass', 'is one of the VFs of its PF, whose bus has no devices of VFs');
  }
  if (device === undefined) {
    const message = `has no device on the bus: ${pf.device.address} has no "virtfn${index}"`;
    return check('vf-exists', 'fail', message, { expected: `virtfn${index}`, actual: 'none' });
  }
  const problem = linksProblem(pf.device, device);
  if (problem !== undefined) return check('vf-exists', 'fail', problem.message, problem);
  return check('vf-exists', 'pass', `is on the bus at ${device.address}`, { actual: device.address });
}

/** @returns "driver": a VF that a container has wants one */
export function driverCheck({ vf: { device }, isIdle }: Audited): Check {
  if (device === undefined) return check('driver', 'skipped', 'has no device on a bus, and so no driver');
  const { driver, address } = device;
  if (driver !== '') return check('driver', 'pass', `has the driver ${driver}`, { actual: driver });
  if (isIdle) return check('driver', 'skipped', 'has no driver, and no container has it', { actual: 'none' });
  const fix = advise(`echo ${address} > /sys/bus/pci/drivers_probe`);
  return check('driver', 'fail', 'has no driver, but a container has it', { expected: 'any', actual: 'none', fix });
}
