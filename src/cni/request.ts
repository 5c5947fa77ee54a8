/** One invocation as a runtime makes it (CNI section 2): environment variables and a configuration on stdin. */
import { type CniArgs, parseArgs } from './args.ts';
import { CniCode, CniError } from './errors.ts';
import { checkContainerId, checkIfName, plainNameRule } from './names.ts';
import { describe, quote } from './quote.ts';
import { decodeUtf8, RawObject } from './raw-json.ts';
import { checkSupported, isAtLeast, NEWEST_VERSION, normaliseVersion, SUPPORTED_VERSIONS } from './versions.ts';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';

/** What the environment says. */
export interface CniEnvironment<Command extends CniCommand = CniCommand> {
  command: Command;
  /** '' for STATUS, GC and VERSION, as `netns` and `ifName`: they concern no container. */
  containerId: string;
  /** Absolute path; may be '' for DEL, when the sandbox is gone. */
  netns: string;
  ifName: string;
  args: CniArgs;
  argsText: string;
  /** Absolute directories of CNI_PATH; empty parts are dropped. */
  path: string[];
  /** TRACEPARENT, TRACESTATE and BAGGAGE (W3C trace context), those that are set. */
  trace: Record<string, string>;
}

export interface CniRequest extends CniEnvironment {
  /** `{}` for VERSION without a readable stdin. */
  config: RawObject;
  cniVersion: string;
  /** The network's name; '' for VERSION. */
  name: string;
}

type Environment = Record<string, string | undefined>;

/** Commands that are understood, and the variables that each needs, not empty. */
export type CommandNeeds<Command extends CniCommand> = Record<Command, readonly string[]>;

const WHAT = 'CNI configuration on stdin';

const NEEDS: CommandNeeds<CniCommand> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  STATUS: [],
  GC: [],
  VERSION: [],
};

/** The oldest configuration version that knows a command. */
const SINCE: Record<CniCommand, string> = {
  ADD: '0.1.0',
  DEL: '0.1.0',
  CHECK: '0.4.0',
  STATUS: '1.1.0',
  GC: '1.1.0',
  VERSION: '0.1.0',
};

const TRACE_VARIABLES = ['TRACEPARENT', 'TRACESTATE', 'BAGGAGE'];

/**
 * Reads and checks a request. Environment before stdin, so that a person who runs the program by hand learns first
 * what it is.
 * @throws CniError 4 for the environment (all missing variables in one message), 6 for a stdin that is not a JSON
 *   object, 7 for a configuration without a valid name, 1 for a version that is not supported or too old for the
 *   command
 */
export function parseRequest(env: Environment, stdin: Uint8Array): CniRequest {
  if (commandOf(env, NEEDS) === 'VERSION') return versionRequest(env, stdin);
  const environment = parseEnvironment(env, NEEDS);
  const config = parseConfig(stdin);
  const name = nameOf(config);
  return { ...environment, config, name, cniVersion: versionFor(environment.command, config) };
}

/**
 * Reads and checks the environment of a request.
 * @throws CniError 4 naming the variables that are missing, or the one that is wrong
 */
export function parseEnvironment<Command extends CniCommand>(
  env: Environment,
  needs: CommandNeeds<Command>,
): CniEnvironment<Command> {
  const command = commandOf(env, needs);
  const missing = needs[command].filter((name) => !env[name]);
  if (missing.length > 0) throw invalidEnvironment(`${command} needs ${missing.join(', ')}, which is not set`);
  const container = containerOf(command, env);
  const argsText = env['CNI_ARGS'] ?? '';
  const args = parseArgs(argsText);
  return { command, ...container, args, argsText, path: pathList(env['CNI_PATH'] ?? ''), trace: traceOf(env) };
}

function commandOf<Command extends CniCommand>(env: Environment, needs: CommandNeeds<Command>): Command {
  const command = env['CNI_COMMAND'] ?? '';
  if (Object.hasOwn(needs, command)) return command as Command;
  const known = Object.keys(needs).join(', ');
  if (command === '') throw invalidEnvironment(`CNI_COMMAND is not set, it must be one of ${known}`);
  throw invalidEnvironment(`CNI_COMMAND ${quote(command)} is unknown, it must be one of ${known}`);
}

function containerOf(command: CniCommand, env: Environment): { containerId: string; netns: string; ifName: string } {
  if (command === 'STATUS' || command === 'GC') return { containerId: '', netns: '', ifName: '' };
  return {
    containerId: checkContainerId(env['CNI_CONTAINERID'] ?? ''),
    netns: absolute('CNI_NETNS', env['CNI_NETNS'] ?? ''),
    ifName: checkIfName(env['CNI_IFNAME'] ?? '', 'CNI_IFNAME', CniCode.invalidEnvironment),
  };
}

/** VERSION never fails on its stdin: runtimes send it before they know what we can read. */
function versionRequest(env: Environment, stdin: Uint8Array): CniRequest {
  const config = readableConfig(stdin);
  const asked = config.value('cniVersion');
  const cniVersion = typeof asked === 'string' && SUPPORTED_VERSIONS.includes(asked) ? asked : NEWEST_VERSION;
  const none = { containerId: '', netns: '', ifName: '', name: '', path: [], argsText: '', args: parseArgs('') };
  return { command: 'VERSION', ...none, config, cniVersion, trace: traceOf(env) };
}

function readableConfig(stdin: Uint8Array): RawObject {
  try {
    return parseConfig(stdin);
  } catch {
    return RawObject.parse('{}', WHAT);
  }
}

function parseConfig(stdin: Uint8Array): RawObject {
  if (stdin.length === 0) throw new CniError(CniCode.decodingFailure, `Cannot parse ${WHAT}: stdin is empty`);
  return RawObject.parse(decodeUtf8(stdin, WHAT), WHAT);
}

function nameOf(config: RawObject): string {
  const name = stringOf(config, 'name');
  if (name === undefined) throw invalidConfig('key "name" is missing');
  const rule = plainNameRule(name);
  if (rule !== undefined) throw invalidConfig(`key "name" is ${quote(name)}: ${rule}`);
  return name;
}

function versionFor(command: CniCommand, config: RawObject): string {
  const version = checkSupported(normaliseVersion(stringOf(config, 'cniVersion')), WHAT);
  const since = SINCE[command];
  if (isAtLeast(version, since)) return version;
  throw new CniError(
    CniCode.incompatibleVersion,
    `config version does not allow ${command}: cniVersion is ${quote(version)}, at least "${since}" is needed`,
  );
}

function stringOf(config: RawObject, key: string): string | undefined {
  const value = config.value(key) ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw invalidConfig(`key "${key}" must be a string, got ${describe(value)}`);
}

function pathList(text: string): string[] {
  return text
    .split(':')
    .filter((directory) => directory !== '')
    .map((directory) => absolute('CNI_PATH', directory));
}

function absolute(variable: string, path: string): string {
  if (path.includes('\0')) throw invalidEnvironment(`${variable} ${quote(path)} contains a NUL character`);
  if (path === '' || path.startsWith('/')) return path;
  throw invalidEnvironment(`${variable} ${quote(path)} is relative, it must be absolute`);
}

function traceOf(env: Environment): Record<string, string> {
  const set = TRACE_VARIABLES.map((name) => [name, env[name] ?? ''] as const).filter(([, value]) => value !== '');
  return Object.fromEntries(set);
}

function invalidEnvironment(reason: string): CniError {
  return new CniError(CniCode.invalidEnvironment, `Cannot use the environment: ${reason}`);
}

function invalidConfig(reason: string): CniError {
  return new CniError(CniCode.invalidConfig, `Cannot use ${WHAT}: ${reason}`);
}
