/** Why the daemon does not start, and the exit code that Multus's daemon has for it. */
export class StartError extends Error {
  /** 1 = configuration, readiness; 2 = generation of 00-multus.conf; 3 = the server */
  readonly exitCode: 1 | 2 | 3;

  constructor(exitCode: StartError['exitCode'], message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
