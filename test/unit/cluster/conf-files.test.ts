import { mkdirSync, symlinkSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  BY_FILE_NAME,
  findConfByName,
  LISTS_FIRST,
  loadConfFile,
  loadConfPath,
} from '../../../src/cluster/conf-files.ts';
import { parseNetworkConfig } from '../../../src/cni/config.ts';
import { refusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const types = ({ plugins }: ReturnType<typeof loadConfFile>): string[] => plugins.map(({ type }) => type);

test('says which file cannot be read, and why', () => {
  const absent = refusal(() => loadConfPath(folder.at('absent.conf')));
  assert.equal(absent, {
    code: 5,
    message: `Cannot read CNI configuration ${folder.at('absent.conf')}: no such file or directory`,
    details: '',
  });
  const empty = refusal(() => loadConfPath(folder.path));
  assert.is(empty.code, 5);
  assert.match(empty.message, 'the folder has no .conf, .json or .conflist file');
  symlinkSync('loop.conf', folder.at('loop.conf'));
  assert.is(refusal(() => loadConfPath(folder.at('loop.conf'))).code, 5);
  assert.is(refusal(() => loadConfPath(folder.at('x'.repeat(300)))).code, 5);
  assert.is(refusal(() => loadConfFile(folder.path)).code, 5);
});

test('says what is wrong in a file, naming it', () => {
  const path = folder.write('a.conf', '{"name":"a"');
  assert.equal(refusal(() => loadConfFile(path)).code, 6);
  folder.write('a.conf', Buffer.from([0x7b, 0xff]));
  assert.match(
    refusal(() => loadConfFile(path)).message,
    `Cannot parse CNI configuration file ${path}: byte 0xff at offset 1`,
  );
  folder.write('a.conf', '{"name":"a","plugins":[]}');
  const { code, message } = refusal(() => loadConfFile(path));
  assert.equal([code, message], [7, `Cannot use CNI configuration file ${path}: key "plugins" must not be empty`]);
});

test('refuses a list that has no plugin anywhere, and says where it was looked for', () => {
  const path = folder.write('a.conflist', '{"name":"a"}');
  assert.equal(
    refusal(() => loadConfFile(path)),
    {
      code: 7,
      message:
        `Cannot use CNI configuration file ${path}: it has neither "type" nor "plugins", ` +
        `and there is no .conf file in ${folder.at('a')}`,
      details: '',
    },
  );
  folder.write('a.conflist', '{"name":"a","loadOnlyInlinedPlugins":true}');
  folder.write('a/x.conf', '{"type":"x"}');
  assert.match(refusal(() => loadConfFile(path)).message, /it has neither "type" nor "plugins"$/);
});

test('refuses a list when a plugin of its folder is wrong: half a chain is another network', () => {
  const path = folder.write('a.conflist', '{"name":"a","plugins":[{"type":"x"}]}');
  folder.write('a/10.conf', '{"type":"firewall"}');
  folder.write('a/20.conf', '{"plugins":[{"type":"y"}]}');
  const { code, message } = refusal(() => loadConfFile(path));
  assert.is(code, 7);
  assert.match(message, `${folder.at('a/20.conf')}: key "type" must be a string, got nothing`);
});

test('names what it could not use when no file has the name', () => {
  folder.write('a.conf', '{"name":"a","type":"x"}');
  folder.write('bad.conf', '{');
  const { code, message, details } = refusal(() => findConfByName(folder.path, 'b', LISTS_FIRST));
  assert.is(code, 7);
  assert.is(message, `Cannot find network "b": no configuration file in ${folder.path} has that name`);
  assert.match(details, `Cannot parse CNI configuration file ${folder.at('bad.conf')}: `);
  assert.match(refusal(() => findConfByName(folder.at('absent'), 'b', LISTS_FIRST)).details, 'ENOENT');
});

test('reads conf and conflist by content, whatever the file is called', () => {
  const conf = folder.write('net', ' {"name":"a","type":"x"}\n');
  const list = folder.write('b.conf', '{"name":"b","plugins":[{"type":"x"},{"type":"y"}]}');
  assert.is(loadConfPath(conf).isList, false);
  assert.is(loadConfPath(conf).source.text, ' {"name":"a","type":"x"}\n');
  assert.equal(types(loadConfPath(list)), ['x', 'y']);
});

test('takes the first file of a folder by name, and only files of the three kinds', () => {
  mkdirSync(folder.at('00.conf'));
  folder.write('05.txt', '{"name":"no","type":"x"}');
  folder.write('20.conf', '{"name":"c","type":"x"}');
  folder.write('10.conflist', '{"name":"b","plugins":[{"type":"x"}]}');
  assert.is(loadConfPath(folder.path).name, 'b');
  folder.write('01.json', '{"name":"a","type":"x"}');
  assert.is(loadConfPath(folder.path).name, 'a');
});

test('finds a network by its name, a conflist before a conf, passing over files that cannot be used', () => {
  folder.write('00.conflist', '[');
  folder.write('10.conf', '{"name":"a","type":"conf"}');
  folder.write('90.conflist', '{"name":"a","plugins":[{"type":"list"}]}');
  folder.write('20.json', '{"name":"b","type":"json"}');
  assert.equal(types(findConfByName(folder.path, 'a', LISTS_FIRST)), ['list']);
  assert.equal(types(findConfByName(folder.path, 'b', LISTS_FIRST)), ['json']);
});

test('finds a network by file names alone where the TKE fork did: a pod would change its network with the upgrade', () => {
  folder.write('10.conf', '{"name":"a","type":"conf"}');
  folder.write('90.conflist', '{"name":"a","plugins":[{"type":"list"}]}');
  assert.equal(types(findConfByName(folder.path, 'a', BY_FILE_NAME)), ['conf']);
  folder.write('05.json', '{"name":"a","type":"json"}');
  assert.equal(types(findConfByName(folder.path, 'a', BY_FILE_NAME)), ['json']);
});

test("appends the plugins of the list's folder, in name order, behind its own", () => {
  const path = folder.write('x.conflist', '{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"x"}]}');
  folder.write('a/20.conf', '{"type":"z","n":12345678901234567890}\n');
  folder.write('a/10.conf', '{"name":"?","type":"y"}');
  folder.write('a/30.json', '{"type":"no"}');
  mkdirSync(folder.at('a/40.conf'));
  assert.equal(types(loadConfFile(path)), ['x', 'y', 'z']);
  folder.write('x.conflist', '{"name":"a","cniVersion":"1.0.0"}');
  assert.equal(types(loadConfFile(path)), ['y', 'z']);
  folder.write('x.conflist', '{"name":"a","plugins":[{"type":"x"}],"loadOnlyInlinedPlugins":true}');
  assert.equal(types(loadConfFile(path)), ['x']);
});

test('keeps the plugins of the folder in the text: a GC that reads the journal must know all of them', () => {
  const path = folder.write('x.conflist', '{ "name":"a", "n":1e400, "plugins":[ {"type" :"x"} ] }');
  folder.write('a/10.conf', ' {"type":"y","n":12345678901234567890}\n');
  const { source } = loadConfFile(path);
  assert.match(source.text, /^\{ "name":"a", "n":1e400, "plugins":\[\{"type" :"x"\},/);
  const again = parseNetworkConfig(source.text, 'journal');
  assert.equal(
    again.plugins.map(({ config }) => config.text),
    ['{"type" :"x"}', '{"type":"y","n":12345678901234567890}'],
  );
});

test('a conf has no folder of plugins', () => {
  const path = folder.write('x.conf', '{"name":"a","type":"x"}');
  folder.write('a/10.conf', '{"type":"y"}');
  assert.equal(types(loadConfFile(path)), ['x']);
});

test.run();
