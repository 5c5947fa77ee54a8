/** With which arguments a container's plugins run, one by one, and in which order all together. */
import type { Execution } from '../delegate/ahead-runner.ts';
import type { ChainInvocation } from '../delegate/run-chain.ts';
import { type DelegateCommand, environment } from '../delegate/run-plugin.ts';
import type { JournalAttachment, JournalRecord } from './journal-record.ts';

type Trace = Readonly<Record<string, string>>;

/** Invocation of an attachment's plugins with the arguments of ADD. */
export function invocationOf(
  record: JournalRecord,
  attachment: JournalAttachment,
  netnsPath: string,
  trace: Trace,
): ChainInvocation {
  return {
    network: attachment.network,
    containerId: record.containerId,
    netns: netnsPath,
    ifName: attachment.ifName,
    args: attachment.args,
    path: record.path,
    trace,
  };
}

/** What the plugins of these attachments are executed with, in the order of ADD; that of DEL is the reverse. */
export function executionsOf(
  command: DelegateCommand,
  record: JournalRecord,
  attachments: readonly JournalAttachment[],
  netnsPath: string,
  trace: Trace,
): Execution[] {
  return attachments.flatMap((attachment) => {
    const invocation = invocationOf(record, attachment, netnsPath, trace);
    return attachment.steps.map(({ type }) => ({
      plugin: type,
      env: environment({ ...invocation, command, plugin: type }),
    }));
  });
}
