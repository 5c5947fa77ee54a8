/** `multus sriov verify -o json`: docs/sriov-verify.schema.json is its promise. */
import { VF_SETTINGS, type VfSettings } from '../../pod/vf-settings.ts';
import type { AuditItem, AuditReport, Expectation } from '../../sriov/audit-report.ts';
import { lastKnown } from '../../sriov/claims-of.ts';
import type { Check, CheckStatus, VfState } from '../../sriov/model.ts';
import { checksOf } from '../../sriov/verdict.ts';

const API_VERSION = 'multus-native/sriov-verify/v1';

function checkJson({ fix, ...check }: Check) {
  return { ...check, fix: fix?.command ?? null };
}

const LINK_STATES = ['auto', 'enable', 'disable'];
const PROTOCOLS = new Map([
  [0, '802.1q'],
  [0x8100, '802.1q'],
  [0x88a8, '802.1ad'],
]);

/** As the driver reports it, 4095 too; null is what it does not tell. */
function actualJson({ reported, places }: VfState) {
  const { vlan, qos, vlanProtocol, mac, spoofCheck, trust, rssQuery, linkState, minTxRate, maxTxRate } = reported ?? {};
  return {
    mac: mac ?? null,
    effectiveMac: places[0]?.link.mac ?? null,
    vlan: vlan ?? null,
    qos: qos ?? null,
    protocol: PROTOCOLS.get(vlanProtocol ?? -1) ?? null,
    spoofCheck: spoofCheck ?? null,
    trust: trust ?? null,
    rssQuery: rssQuery ?? null,
    linkState: LINK_STATES[linkState ?? -1] ?? null,
    minTxRate: minTxRate ?? null,
    maxTxRate: maxTxRate ?? null,
    nodeGuid: reported?.nodeGuid ?? null,
    portGuid: reported?.portGuid ?? null,
  };
}

function expectedJson({ settings, sources }: Expectation) {
  const asked = VF_SETTINGS.filter((setting) => settings[setting] !== undefined);
  return Object.fromEntries(
    asked.map((setting: keyof VfSettings) => [setting, { value: settings[setting], source: sources[setting] ?? '' }]),
  );
}

function itemJson({ pf, vf, holders, expectation, checks }: AuditItem) {
  const [place] = vf.places;
  return {
    pf: pf.name,
    pfPci: pf.device?.address ?? null,
    pfDriver: pf.device?.driver ?? null,
    mode: pf.isSwitchdev ? 'switchdev' : 'legacy',
    vf: vf.index,
    pci: vf.device?.address ?? null,
    driver: vf.device?.driver ?? null,
    netns: place === undefined ? null : { inode: place.netns.ino, path: place.netns.path, isHost: place.netns.isHost },
    ifname: place?.link.name ?? null,
    pod: lastKnown(holders, 'pod') || null,
    containerId: lastKnown(holders, 'containerId') || null,
    network: lastKnown(holders, 'network') || null,
    actual: actualJson(vf),
    expected: expectedJson(expectation),
    cached: expectation.cached ?? null,
    checks: checks.map(checkJson),
  };
}

const STATUSES: readonly CheckStatus[] = ['pass', 'fail', 'warn', 'unknown', 'skipped'];

/** @returns text with a newline behind it; on one line where more of them follow */
export function verifyJson(report: AuditReport, exitCode: number, isOneLine = false): string {
  const all = checksOf(report);
  const counts = STATUSES.map((status) => [status, all.filter((check) => check.status === status).length]);
  const json = {
    apiVersion: API_VERSION,
    node: report.node,
    kernel: report.kernel,
    notFound: report.notFound || null,
    items: report.items.map(itemJson),
    checks: report.checks.map(checkJson),
    summary: { vfs: report.items.length, ...Object.fromEntries(counts), exitCode },
  };
  return `${JSON.stringify(json, null, isOneLine ? 0 : 2)}\n`;
}
