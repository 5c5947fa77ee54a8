/** containerd's configuration files: version 2 for 1.x, version 3 for 2.x. */
import { join } from 'node:path';
import { PAUSE_IMAGE } from './pause-image.ts';

export interface ContainerdPaths {
  /** Everything else goes below it. */
  folder: string;
  cniConfDir: string;
  cniBinDir: string;
  socket: string;
  runc: string;
}

/** Not all of our machines may lower a process's score for the kernel's OOM killer, and runc does not go on without. */
const RESTRICT = 'restrict_oom_score_adj = true\n  disable_apparmor = true';

function runtimes(plugin: string, runc: string): string {
  return `
  [plugins.${plugin}.containerd]
    default_runtime_name = "runc"
    SNAPSHOTTER
    [plugins.${plugin}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.${plugin}.containerd.runtimes.runc.options]
        BinaryName = "${runc}"
        SystemdCgroup = false`;
}

/** The native snapshotter also works where the folder is on an overlay already. */
export function containerdConfig(
  major: 1 | 2,
  { folder, cniConfDir, cniBinDir, socket, runc }: ContainerdPaths,
): string {
  const head = `version = ${major + 1}
root = "${join(folder, 'containerd-root')}"
state = "${join(folder, 'containerd-state')}"
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "${join(folder, 'containerd-opt')}"
`;
  if (major === 1) {
    const plugin = '"io.containerd.grpc.v1.cri"';
    return `${head}[plugins.${plugin}]
  sandbox_image = "${PAUSE_IMAGE}"
  ${RESTRICT}
  [plugins.${plugin}.cni]
    bin_dir = "${cniBinDir}"
    conf_dir = "${cniConfDir}"
${runtimes(plugin, runc).replace('SNAPSHOTTER', 'snapshotter = "native"')}
`;
  }
  const plugin = '"io.containerd.cri.v1.runtime"';
  return `${head}[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${PAUSE_IMAGE}"
[plugins.${plugin}]
  ${RESTRICT}
  [plugins.${plugin}.cni]
    bin_dirs = ["${cniBinDir}"]
    conf_dir = "${cniConfDir}"
${runtimes(plugin, runc).replace('SNAPSHOTTER', '')}
`;
}
