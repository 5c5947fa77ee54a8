/** Says the same thing at most once a minute: an outage of the API server is one piece of news, not one for each pod. */

const SILENCE_MS = 60_000;
/** Subjects that are remembered. */
const MEMORY = 100;

export class Rarely {
  private readonly now: () => number;
  private readonly said = new Map<string, number>();

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.now = now;
  }

  /** Is it time to say this (again)? Then it counts as said. */
  mayNow(subject: string): boolean {
    const at = this.now();
    if (at - (this.said.get(subject) ?? Number.NEGATIVE_INFINITY) < SILENCE_MS) return false;
    this.said.delete(subject);
    this.said.set(subject, at);
    const [oldest] = this.said.keys();
    if (this.said.size > MEMORY && oldest !== undefined) this.said.delete(oldest);
    return true;
  }
}
