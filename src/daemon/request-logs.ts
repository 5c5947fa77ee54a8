/**
 * Where the daemon's lines go: its own by its file and command line, those of a request by the request's configuration.
 * One request's settings never change another one's, nor the daemon's.
 */
import type { Logger } from 'pino';
import type { RawObject } from '../cni/raw-json.ts';
import { type LogTarget, openLog, targetOf } from '../log/open-log.ts';
import { type LogSettings, logSettingsOf } from '../pod/log-settings.ts';

export class RequestLogs {
  readonly own: Logger;
  private readonly settings: LogSettings;
  private readonly level: string;
  /** Loggers by their target: there are as many as configurations on the node. */
  private readonly open = new Map<string, Logger>();
  /** By configurations that are still known: a node's requests nearly all bring the same. */
  private readonly known = new WeakMap<RawObject, Logger>();

  /**
   * @param settings of the daemon's file
   * @param level pino's: what the command line says in their place, or the default
   */
  constructor(settings: LogSettings, level: string) {
    this.settings = settings;
    this.level = level;
    this.own = this.to({ ...targetOf(settings, level), level });
  }

  /** @param config of the request, with the keys of the daemon's file in it */
  of(config: RawObject): Logger {
    const log = this.known.get(config) ?? this.openFor(config);
    this.known.set(config, log);
    return log;
  }

  private openFor(config: RawObject): Logger {
    const settings = logSettingsOf(config);
    if (settings === undefined) return this.own; // which is where the request is refused for it
    const isOwnLevel = settings.level === this.settings.level;
    return this.to(targetOf(isOwnLevel ? { ...settings, level: undefined } : settings, this.level));
  }

  private to(target: LogTarget): Logger {
    const key = JSON.stringify(target);
    const log = this.open.get(key) ?? openLog(target).log;
    this.open.set(key, log);
    return log;
  }
}
