/** A pod that another program attached: a fixture of test/fixtures/state brought to life in a lab. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { type Lab, referencePlugins } from './lab.ts';
import { run } from './process.ts';

const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'state');

/** What stood in the fixtures' files where the lab's own paths have to stand. */
const RECORDED_LAB = '/tmp/multus-recorded';
const RECORDED_NETNS = /\/run\/netns\/mn-[0-9a-f]+-pod1/g;

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString();
const encode = (text: string): string => Buffer.from(text).toString('base64');

// biome-ignore lint/suspicious/noExplicitAny: files of another program
type Json = any;

/** The container of every fixture. */
export const CONTAINER = 'c1';

/** A fixture, placed in a lab. */
export class ForeignPod {
  /** Entries of the program's own file. */
  readonly entries: Json[];
  /** libcni's cache files by name; empty for the TKE fork. */
  readonly cache: Map<string, Json>;
  private readonly lab: Lab;
  private readonly fixture: string;
  private readonly pod: string;

  constructor(lab: Lab, fixture: string, pod = 'pod1') {
    this.lab = lab;
    this.fixture = join(FIXTURES, fixture);
    this.pod = pod;
    this.entries = JSON.parse(this.here(readFileSync(join(this.fixture, CONTAINER), 'utf8')));
    for (const entry of this.entries) {
      const list = entry.CNINetworkConfigList;
      for (const one of [entry, list, ...(list?.Plugins ?? [])]) {
        if (one?.Bytes) one.Bytes = encode(this.here(decode(one.Bytes)));
      }
    }
    this.cache = new Map(this.cacheNames().map((name) => [name, this.readCached(name)]));
  }

  private cacheNames(): string[] {
    const folder = join(this.fixture, 'results');
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  private readCached(name: string): Json {
    const cached = JSON.parse(this.here(readFileSync(join(this.fixture, 'results', name), 'utf8')));
    return { ...cached, config: encode(this.here(decode(cached.config))) };
  }

  /** A recorded text with the paths of this lab. */
  private here(text: string): string {
    return text.replaceAll(RECORDED_LAB, this.lab.directory).replace(RECORDED_NETNS, this.lab.netns(this.pod));
  }

  /** Run ADD of every attachment as libcni did, and keep the results in the cache. */
  async attach(): Promise<void> {
    for (const [i, entry] of this.entries.entries()) {
      const config = JSON.parse(decode(entry.Bytes));
      const ifName = entry.ifnameRequest ?? (i === 0 ? 'eth0' : `net${i}`);
      const cached = this.cache.get(`${config.name}-${CONTAINER}-${ifName}`);
      const whole = (entry.CNINetworkConfigList?.Plugins ?? []).map((plugin: Json) => JSON.parse(decode(plugin.Bytes)));
      const plugins = whole.length > 0 ? whole : (config.plugins ?? [config]);
      let prevResult: Json;
      for (const plugin of plugins) {
        const declared = Object.keys(plugin.capabilities ?? {}).filter((key) => cached?.capabilityArgs?.[key]);
        const runtimeConfig = Object.fromEntries(declared.map((key) => [key, cached.capabilityArgs[key]]));
        const { name, cniVersion } = config;
        prevResult = await this.add(
          { ...plugin, name, cniVersion, runtimeConfig, prevResult },
          ifName,
          cached?.cniArgs,
        );
      }
      if (cached !== undefined) cached.result = prevResult;
    }
  }

  private async add(config: Json, ifName: string, args: [string, string][] = [['IgnoreUnknown', '1']]): Promise<Json> {
    const env = {
      PATH: process.env['PATH'],
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: CONTAINER,
      CNI_NETNS: this.lab.netns(this.pod),
      CNI_IFNAME: ifName,
      CNI_ARGS: args.map((pair) => pair.join('=')).join(';'),
      CNI_PATH: referencePlugins(),
    };
    const words = [`--net=${this.lab.netns('host')}`, join(referencePlugins(), config.type)];
    const { code, stdout } = await run('nsenter', words, { env, input: JSON.stringify(config) });
    assert.is(code, 0, stdout);
    return JSON.parse(stdout);
  }

  /** Write the program's file and libcni's, as they are in `entries` and `cache` now. */
  write(directory = this.lab.stateDir): void {
    mkdirSync(join(directory, 'results'), { recursive: true });
    writeFileSync(join(directory, CONTAINER), JSON.stringify(this.entries));
    for (const [name, cached] of this.cache) writeFileSync(join(directory, 'results', name), JSON.stringify(cached));
  }

  /** Write the configurations of the attachments to files, as the fork has them. */
  writeConfigurations(directory: string): void {
    mkdirSync(directory);
    for (const [i, { Bytes }] of this.entries.entries()) {
      const text = decode(Bytes);
      writeFileSync(join(directory, `${i}.${'plugins' in JSON.parse(text) ? 'conflist' : 'conf'}`), text);
    }
  }

  /** Write the node's configuration files to the lab's folder. */
  writeNodeFiles(): void {
    const node = join(this.fixture, 'node');
    for (const name of readdirSync(node, { recursive: true, encoding: 'utf8' })) {
      const target = join(this.lab.directory, name);
      if (!/\.conf(list)?$/.test(name)) cpSync(join(node, name), target, { recursive: true });
      else writeFileSync(target, this.here(readFileSync(join(node, name), 'utf8')));
    }
  }
}
