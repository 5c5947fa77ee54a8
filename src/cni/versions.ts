/** CNI specification versions: which we speak, how they compare, and which one a configuration means. */
import { CniCode, CniError } from './errors.ts';
import { quote } from './quote.ts';

/** Every version of the specification that we speak, oldest first. */
export const SUPPORTED_VERSIONS: readonly string[] = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

export const OLDEST_VERSION = '0.1.0';
export const NEWEST_VERSION = '1.1.0';
/** Of errors in answer to what has no version that we know: every runtime reads one of this. */
export const UNKNOWN_VERSION = '1.0.0';

/**
 * Orders two versions by their numbers ("1.0" equals "1.0.0").
 * @returns negative, 0 or positive as for Array.sort
 * @throws CniError 6 when one of them is not one to three numbers with dots between
 */
export function compareVersions(a: string, b: string): number {
  const left = parseVersion(a);
  const right = parseVersion(b);
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

/** @throws CniError 6 as compareVersions */
export function isAtLeast(version: string, minimum: string): boolean {
  return compareVersions(version, minimum) >= 0;
}

/** The version that an absent `cniVersion` means: configurations before 0.2.0 had no such key. */
export function normaliseVersion(version: string | undefined): string {
  return version === undefined || version === '' ? OLDEST_VERSION : version;
}

/**
 * Chooses the version of a configuration list that offers several (CNI 1.1 section 1, `cniVersions`): the highest that
 * both sides speak, `cniVersion` counting as one of the offers. When there is none, one of the offers, for
 * checkSupported to refuse by its name.
 */
export function negotiateVersion(cniVersion: string | undefined, cniVersions: readonly string[] | undefined): string {
  const offers = [...(cniVersions ?? [])];
  if (cniVersion !== undefined && cniVersion !== '') offers.push(cniVersion);
  const common = SUPPORTED_VERSIONS.findLast((version) => offers.includes(version));
  return common ?? offers.at(-1) ?? OLDEST_VERSION;
}

/**
 * @param what names the configuration or result in the error
 * @returns the version, '' as '0.1.0'
 * @throws CniError 1 naming the supported versions
 */
export function checkSupported(version: string, what: string): string {
  const normalised = normaliseVersion(version);
  if (SUPPORTED_VERSIONS.includes(normalised)) return normalised;
  throw new CniError(
    CniCode.incompatibleVersion,
    `Cannot use ${what}: CNI version ${quote(normalised)} is not supported, ` +
      `supported are ${SUPPORTED_VERSIONS.join(', ')}`,
  );
}

/** The answer to VERSION (CNI section 2): `{"cniVersion", "supportedVersions"}`. */
export function formatVersionReply(cniVersion: string): string {
  return JSON.stringify({ cniVersion, supportedVersions: SUPPORTED_VERSIONS });
}

const VERSION = /^([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?$/;

function parseVersion(version: string): [number, number, number] {
  const match = VERSION.exec(version);
  if (match === null) {
    throw new CniError(
      CniCode.decodingFailure,
      `Cannot parse CNI version ${quote(version)}: it must be numbers separated by dots, as in "1.0.0"`,
    );
  }
  return [Number(match[1]), Number(match[2] ?? 0), Number(match[3] ?? 0)];
}
