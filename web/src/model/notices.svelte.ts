/** The short messages in the corner: one for each subject, newest last, gone by themselves. */
export type Tone = 'plain' | 'buy' | 'sell' | 'bad' | 'wait';

export interface Notice {
  readonly id: number;
  readonly subject: string;
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
}

const SHOWN_MAX = 4;
const STAY_MS: Record<Tone, number> = {
  plain: 5_000,
  buy: 7_000,
  sell: 7_000,
  bad: 12_000,
  wait: 60_000,
};

export class Notices {
  list = $state.raw<readonly Notice[]>([]);
  #nextId = 1;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  /** A later word on the same subject takes the place of the earlier one. */
  say(tone: Tone, title: string, text = '', subject = ''): void {
    const id = this.#nextId++;
    const known = subject || `notice-${id}`;
    for (const one of this.list) if (one.subject === known) this.dismiss(one.id);
    this.list = [...this.list, { id, subject: known, tone, title, text }].slice(-SHOWN_MAX);
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), STAY_MS[tone]),
    );
  }

  dismiss(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.list = this.list.filter((one) => one.id !== id);
  }

  clear(): void {
    for (const one of this.list) this.dismiss(one.id);
  }
}
