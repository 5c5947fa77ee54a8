/** The way from a lab's host namespace, in which daemon and shim run, to a server on 127.0.0.1 of the machine. */
import type { Lab } from '../../lab/lab.ts';
import { must } from '../../lab/process.ts';
import { Relay } from './relay.ts';

export class Tunnel {
  /** Of the server, there as here. */
  readonly url: string;
  private readonly relay: Relay;

  private constructor(url: string, relay: Relay) {
    this.url = url;
    this.relay = relay;
  }

  /** @param url "https://127.0.0.1:6443" */
  static async into(lab: Lab, url: string): Promise<Tunnel> {
    const netns = lab.netns('host');
    await must('nsenter', `--net=${netns}`, 'ip', 'link', 'set', 'lo', 'up');
    return new Tunnel(url, await Relay.open({ netns }, Number(new URL(url).port)));
  }

  /** How long what is sent waits from now on. */
  set delayMs(ms: number) {
    this.relay.delayMs = ms;
  }

  async close(): Promise<void> {
    this.relay.close();
  }
}
