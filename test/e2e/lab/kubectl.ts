/** README's commands on a lab's API server: those of kubectl that stand there, and no other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { ApiServer } from './api-server.ts';
import { build, type Manifest } from './render.ts';

/** Collections by the names that kubectl takes. */
const COLLECTIONS: Record<string, (namespace: string) => string> = {
  pod: (namespace) => `/api/v1/namespaces/${namespace}/pods`,
  events: (namespace) => `/api/v1/namespaces/${namespace}/events`,
  configmap: (namespace) => `/api/v1/namespaces/${namespace}/configmaps`,
  serviceaccount: (namespace) => `/api/v1/namespaces/${namespace}/serviceaccounts`,
  daemonset: (namespace) => `/apis/apps/v1/namespaces/${namespace}/daemonsets`,
  clusterrole: () => '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  clusterrolebinding: () => '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
};

function collection(kind: string, namespace: string): string {
  const path = COLLECTIONS[kind.toLowerCase()];
  if (path === undefined) throw new Error(`kubectl of this lab knows no ${kind}`);
  return path(namespace);
}

/** `.a.b\.c` of an object. */
function valueAt(object: Manifest, path: string): string {
  const names = path.split(/(?<!\\)\./).slice(1);
  return String(names.reduce((value, name) => value?.[name.replaceAll('\\', '')], object));
}

/** As kubectl aligns them. */
function table(rows: string[][]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)) + 3) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}

function columns(items: Manifest[], spec: string): string {
  const parts = spec.split(',').map((one) => one.split(':'));
  const heading = parts.map(([name = '']) => name);
  return table([heading, ...items.map((item) => parts.map(([, path = '']) => valueAt(item, path)))]);
}

export class Kubectl {
  private readonly api: ApiServer;
  private readonly folder: string;

  /** @param folder where it is run */
  constructor(api: ApiServer, folder: string) {
    this.api = api;
    this.folder = folder;
  }

  /** @returns what it prints, as far as a test needs it @throws Error when it fails, or is none of README's commands */
  async run(line: string): Promise<string> {
    const words = (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));
    const options = new Map<string, string>();
    const rest: string[] = [];
    for (let i = 1; i < words.length; i++) {
      const word = words[i] ?? '';
      if (word.startsWith('-')) options.set(word, words[++i] ?? '');
      else rest.push(word);
    }
    const namespace = options.get('-n') ?? 'default';
    const [verb = '', kinds = '', name = ''] = rest;
    if (verb === 'apply') await this.api.apply(...(await this.objects(options)));
    else if (verb === 'rollout') await this.must(namespace, ...name.split('/'));
    else if (verb === 'get') return this.get(namespace, kinds, name, options);
    else if (verb === 'delete' && kinds === '') await this.remove(await this.objects(options));
    else if (verb === 'delete') await this.removeLabelled(namespace, kinds.split(','), options.get('-l'));
    else throw new Error(`kubectl of this lab cannot ${verb}`);
    return '';
  }

  private async objects(options: Map<string, string>): Promise<Manifest[]> {
    const [folder, file] = [options.get('-k'), options.get('-f')];
    if (folder !== undefined) return build(join(this.folder, folder));
    if (file === undefined) throw new Error('neither -k nor -f');
    return parseAllDocuments(readFileSync(join(this.folder, file), 'utf8')).map((document) => document.toJS());
  }

  private async must(namespace: string, kind = '', name = ''): Promise<Manifest> {
    const object = await this.api.get(`${collection(kind, namespace)}/${name}`);
    if (object === undefined) throw new Error(`there is no ${kind} ${name} in ${namespace}`);
    return object;
  }

  private async get(namespace: string, kind: string, name: string, options: Map<string, string>): Promise<string> {
    const [format = '', spec = ''] = options.get('-o')?.split(/=(.*)/s) ?? [];
    if (format === 'jsonpath') return valueAt(await this.must(namespace, kind, name), spec.slice(1, -1));
    if (format !== 'custom-columns') throw new Error(`kubectl of this lab has no output ${format}`);
    const selector = encodeURIComponent(options.get('--field-selector') ?? '');
    const { items } = await this.api.get(`${collection(kind, namespace)}?fieldSelector=${selector}`);
    return columns(items, spec);
  }

  private async remove(objects: Manifest[]): Promise<void> {
    for (const { kind, metadata } of objects) {
      await this.api.delete(`${collection(kind, metadata.namespace ?? 'default')}/${metadata.name}`);
    }
  }

  private async removeLabelled(namespace: string, kinds: string[], selector = ''): Promise<void> {
    if (selector === '') throw new Error('nothing says which');
    for (const kind of kinds) {
      const path = collection(kind, namespace);
      const { items } = await this.api.get(`${path}?labelSelector=${encodeURIComponent(selector)}`);
      for (const { metadata } of items) await this.api.delete(`${path}/${metadata.name}`);
    }
  }
}
