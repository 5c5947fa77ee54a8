// What users read holds: every key is described with its real default, every claim of docs/compatibility.md names the
// test that proves it, and every link leads somewhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseNetworkConfig } from '../../src/cni/config.ts';
import { RawObject } from '../../src/cni/raw-json.ts';
import { normaliseVersion } from '../../src/cni/versions.ts';
import { settingsOf } from '../../src/daemon/settings.ts';
import { targetOf } from '../../src/log/open-log.ts';
import { ConfigKeys } from '../../src/pod/config-keys.ts';
import { parseDaemonConfig } from '../../src/pod/daemon-config.ts';
import { parseLogSettings } from '../../src/pod/log-settings.ts';
import { parseMultusConfig } from '../../src/pod/multus-config.ts';
import { formatNodeConfig } from '../../src/pod/node-config.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), 'utf8');

interface Row {
  /** Heading of the second level above the table. */
  section: string;
  columns: readonly string[];
  cells: readonly string[];
}

/** Every row of every table of a document. */
function tableRows(markdown: string): Row[] {
  const rows: Row[] = [];
  let section = '';
  let columns: readonly string[] = [];
  for (const line of markdown.split('\n')) {
    if (line.startsWith('## ')) section = line.slice('## '.length);
    if (!line.startsWith('|')) {
      columns = [];
      continue;
    }
    const cells = line.split(/(?<!\\)\|/).slice(1, -1);
    const texts = cells.map((cell) => cell.trim().replaceAll('\\|', '|'));
    if (columns.length === 0) columns = texts;
    else if (!texts.every((cell) => /^-+$/.test(cell))) rows.push({ section, columns, cells: texts });
  }
  return rows;
}

const README = tableRows(read('README.md'));
const COMPATIBILITY = tableRows(read('docs', 'compatibility.md'));
const COLUMNS = ['subject', 'Multus thick', 'Multus thin', 'TKE fork', 'multus-native', 'test'];
const CLAIMS = COMPATIBILITY.filter(({ columns }) => columns.at(-1) === 'test');
const OPERATIONS = tableRows(read('docs', 'operations.md'));
const MIGRATION = tableRows(read('docs', 'migration.md'));

/** A test's title as its source has it; computed parts are between the others. */
type Title = readonly string[];

function titlesOf(source: string): Title[] {
  const literal = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`/.source;
  const callers =
    'test|kernelTest|inLab|inCluster|eachDoor|eachDoorWith|onNode|onMultusNode|withController|onCard|eachDoorOnCard';
  const call = `\\b(?:${callers})\\((?:\\s*\\[[^\\n]*\\],)?\\s*`;
  return [...source.matchAll(new RegExp(`${call}(?:${literal})`, 'g'))].map(([, single, double, template]) => {
    const parts = template === undefined ? [single ?? double ?? ''] : template.split(/\$\{[^}]*\}?/);
    return parts.map((part) => part.replace(/\\(.)/g, '$1'));
  });
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Is the reference this title, with computed parts that its file has, or the title up to its first computed part? */
function isTitle(reference: string, parts: Title, source: string): boolean {
  const [beginning = '', ...others] = parts;
  if (others.length > 0 && /\w \w/.test(beginning) && reference === beginning.replace(/[\s(]+$/, '')) return true;
  return ['(.*)', '(.*?)'].some((computed) => {
    const match = new RegExp(`^${parts.map(escaped).join(computed)}$`).exec(reference);
    return match?.slice(1).every((part) => source.includes(part)) ?? false;
  });
}

function assertNamesTests({ cells }: Row): void {
  const [subject = ''] = cells;
  assert.ok(
    cells.every((cell) => cell !== ''),
    `"${subject}" has an empty cell; write "–" for "no such thing"`,
  );
  for (const reference of (cells.at(-1) ?? '').split('<br>')) {
    const [, file = '', title = ''] = /^`([a-z0-9/-]+)` (.+)$/.exec(reference) ?? [];
    const path = join('test', `${file}.test.ts`);
    assert.ok(title !== '' && existsSync(join(ROOT, path)), `"${subject}": "${reference}" names no test file`);
    const source = read(path);
    const found = titlesOf(source).some((parts) => isTitle(title, parts, source));
    assert.ok(found, `"${subject}": ${path} has no test "${title}"`);
  }
}

// Operators would believe a claim that nobody checks.
test('every row of docs/compatibility.md names tests that exist', () => {
  assert.ok(CLAIMS.length > 200, `${CLAIMS.length} rows were read`);
  for (const row of CLAIMS) {
    assert.equal(row.columns, COLUMNS, `columns of the table with "${row.cells[0]}"`);
    assert.is(row.cells.length, COLUMNS.length, `cells of "${row.cells[0]}"`);
    assertNamesTests(row);
  }
});

// What pods experience in an outage is read in the middle of one.
test('every row of docs/operations.md names tests that exist', () => {
  assert.ok(OPERATIONS.length > 15, `${OPERATIONS.length} rows were read`);
  for (const row of OPERATIONS) {
    assert.is(row.cells.length, row.columns.length, `cells of "${row.cells[0]}"`);
    assertNamesTests(row);
  }
});

// Whoever changes the plugin of a node full of pods has nothing else to go by.
test('every row of docs/migration.md names tests that exist', () => {
  assert.ok(MIGRATION.length > 5, `${MIGRATION.length} rows were read`);
  for (const row of MIGRATION) assertNamesTests(row);
});

test('no subject of docs/compatibility.md has two rows in one table', () => {
  const subjects = CLAIMS.map(({ section, cells }) => `${section}: ${cells[0]}`);
  assert.equal(
    subjects.filter((one, i) => subjects.indexOf(one) !== i),
    [],
  );
});

// Users of Multus would find their own weak points still there.
test('docs/compatibility.md has a row with a test for every weak point of Multus, 1 to 20', () => {
  const subjects = CLAIMS.map(({ cells }) => cells[0] ?? '');
  for (let number = 1; number <= 20; number++) {
    assert.ok(
      subjects.some((subject) => subject.startsWith(`${number}. `)),
      `no row for weak point ${number}`,
    );
  }
});

/** Names in code quotes in the first cell of rows. */
const described = (rows: readonly Row[]): Set<string> =>
  new Set(rows.flatMap(({ cells }) => [...(cells[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)));

function assertDescribed(names: readonly string[], rows: readonly Row[], where: string): void {
  const known = described(rows);
  for (const name of names) assert.ok(known.has(name), `${where} has no row for "${name}"`);
}

/** What a source reads, by the texts that this pattern finds. */
const namesIn = (pattern: RegExp, ...path: string[]): string[] => [
  ...new Set([...read(...path).matchAll(pattern)].map(([, name = '']) => name)),
];

const KEY_READS =
  /\b(?:keys|config|source)\.(?:text|path|flag|texts|record|word|duration|number|value|object|array)\(\s*'([a-zA-Z]+)'/g;
const REQUEST_KEYS = [
  ...namesIn(KEY_READS, 'src', 'pod', 'multus-config.ts'),
  ...namesIn(KEY_READS, 'src', 'pod', 'log-settings.ts'),
  ...namesIn(KEY_READS, 'src', 'attach', 'overlay-file.ts'),
];
/** Inside `perNodeCertificate`. */
const CERTIFICATE_KEYS = ['enabled', 'bootstrapKubeconfig', 'certDir', 'certDuration'];
const DAEMON_KEYS = namesIn(KEY_READS, 'src', 'pod', 'daemon-config.ts').filter(
  (key) => !CERTIFICATE_KEYS.includes(key),
);

const README_KEYS = 'Configuration';
const README_DAEMON_KEYS = "The daemon's configuration";
const inSection = (rows: readonly Row[], section: string): Row[] => rows.filter((row) => row.section === section);

// A key that nobody describes is not used, or used wrongly.
test('README and docs/compatibility.md describe every key of the configuration', () => {
  assert.ok(REQUEST_KEYS.length > 30, REQUEST_KEYS.join());
  assertDescribed(REQUEST_KEYS, inSection(README, README_KEYS), 'README');
  assertDescribed(REQUEST_KEYS, CLAIMS, 'docs/compatibility.md');
});

test('README and docs/compatibility.md describe every key of the daemon’s own file', () => {
  assert.ok(DAEMON_KEYS.length >= 15, DAEMON_KEYS.join());
  assertDescribed(DAEMON_KEYS, inSection(README, README_DAEMON_KEYS), 'README');
  assertDescribed(DAEMON_KEYS, inSection(CLAIMS, "The daemon's file"), 'docs/compatibility.md');
});

test('README and docs/compatibility.md describe every field of an annotation', () => {
  const fields = namesIn(/\b(?:entry\.\w+|octets)\((?:entry, )?'([a-zA-Z-]+)'/g, 'src', 'pod', 'selection-entry.ts');
  assert.ok(fields.length >= 16, fields.join());
  const readme = inSection(README, 'What a pod asks for').flatMap(({ cells }) => cells.join());
  for (const field of fields) {
    assert.ok(
      readme.some((row) => row.includes(`\`${field}\``)),
      `README does not describe field "${field}"`,
    );
  }
  assertDescribed(fields, CLAIMS, 'docs/compatibility.md');
});

/** What comes of a request's configuration. */
function meaning(members: Record<string, unknown>): unknown {
  const base = 'defaultDelegates' in members ? {} : { clusterNetwork: 'node' };
  const config = RawObject.parse(JSON.stringify({ ...base, ...members }), 'configuration');
  const { cniVersion, ...rest } = parseMultusConfig(config);
  const log = targetOf(parseLogSettings(new ConfigKeys(config, 'configuration')), 'warn');
  return { ...rest, cniVersion: normaliseVersion(cniVersion), log };
}

/** What comes of the daemon's file. */
function daemonMeaning(members: Record<string, unknown>): unknown {
  const config = parseDaemonConfig(RawObject.parse(JSON.stringify(members), 'file'), 'file');
  const { cniConfigDir, multusConfigFile, multusAutoconfigDir, multusMasterCNI, forceCNIVersion, notes } = config;
  const { socketDir, stateDirectories, maxOperations, log } = settingsOf({ reconcileInterval: 60 }, config, {
    hostname: 'n',
  });
  const primary = parseNetworkConfig('{"cniVersion":"1.0.0","name":"node","type":"bridge"}', 'primary');
  const { name, type } = JSON.parse(formatNodeConfig(primary, '/node.conf', config.source));
  return [
    [socketDir, stateDirectories, maxOperations, targetOf(log, 'info'), notes],
    [cniConfigDir, multusConfigFile, multusAutoconfigDir, multusMasterCNI, forceCNIVersion, name, type],
  ];
}

/** The JSON value that begins a cell, in code quotes; undefined when there is none. */
function quotedValue(cell: string | undefined): { value: unknown } | undefined {
  const code = /^`([^`]+)`/.exec(cell ?? '')?.[1];
  return code === undefined ? undefined : { value: JSON.parse(code) };
}

// Who leaves a key out gets something else than README says, or copies an example that is refused.
for (const [section, meaningOf] of [
  [README_KEYS, meaning],
  [README_DAEMON_KEYS, daemonMeaning],
] as const) {
  test(`README, ${section}: every default changes nothing when it is written out, and every example is accepted`, () => {
    const rows = inSection(README, section).filter(({ columns }) => columns[1] === 'default');
    const nothing = meaningOf({});
    for (const { cells } of rows) {
      const [key = '', standard, , example] = cells;
      for (const name of described([{ section, columns: [], cells: [key] }])) {
        const written = quotedValue(standard);
        if (written !== undefined) assert.equal(meaningOf({ [name]: written.value }), nothing, `default of "${name}"`);
        const shown = quotedValue(example);
        if (shown !== undefined) assert.not.throws(() => meaningOf({ [name]: shown.value }), `example of "${name}"`);
        if (shown !== undefined) assert.not.equal(shown, written, `the example of "${name}" is its default`);
      }
    }
    assert.ok(rows.filter(({ cells }) => quotedValue(cells[1]) !== undefined).length >= 8, 'defaults were read');
  });
}

// Who copies the example gets another file than the one beside it.
test("README's daemon-config.json makes README's 00-multus.conf", () => {
  const chapter = read('README.md').split(`## ${README_DAEMON_KEYS}\n`)[1] ?? '';
  const [file = '', generated] = [...chapter.matchAll(/```json\n(.*?)```/gs)].map(([, text]) => text);
  const primary = parseNetworkConfig('{"cniVersion":"1.0.0","name":"bridge","type":"bridge"}', 'primary');
  assert.is(formatNodeConfig(primary, '/etc/cni/net.d/10-bridge.conf', RawObject.parse(file, 'file')), generated);
});

/** GitHub's anchor of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-');

test('every link between documents leads to a file, and to a heading in it', () => {
  const documents = ['README.md', 'CHANGELOG.md', '.github/ARCHITECTURE.md', '.github/CONTRIBUTING.md'];
  documents.push(...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`));
  let links = 0;
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? document : join(dirname(document), path);
      assert.ok(existsSync(join(ROOT, file)), `${document}: ${target} is not there`);
      if (anchor !== undefined) {
        const anchors = [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
        assert.ok(anchors.includes(anchor), `${document}: ${file} has no heading "${anchor}"`);
      }
      links += 1;
    }
  }
  assert.ok(links > 5, `${links} links were read`);
});

test.run();
