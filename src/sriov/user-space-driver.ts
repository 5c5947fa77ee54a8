/** Drivers that hand a device over to a program or a virtual machine: the kernel has no network device of it. */

const OTHERS = ['uio_pci_generic', 'igb_uio', 'pci-stub'];

/** "vfio-pci", and those that a vendor made of it so that its VFs can migrate: "mlx5_vfio_pci". */
const VFIO = /^(.+_)?vfio[-_]pci$/;

/** @param driver as sysfs calls it, '' none */
export function isUserSpaceDriver(driver: string): boolean {
  return VFIO.test(driver) || OTHERS.includes(driver);
}
