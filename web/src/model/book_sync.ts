/**
 * Keeps one local book in step with the house: waits for the stream, takes a snapshot, joins the
 * two, and starts again by itself on a gap. Old answers of a book left behind are dropped.
 */
import { LocalBook } from './book.ts';
import type { DepthEvent, WireDepth } from './wire.ts';

/** More than a snapshot's worth of waiting; past it the snapshot is lost and we start again. */
const WAITING_MAX = 2_000;
const RETRY_MS = 500;

export class BookSync {
  readonly book = new LocalBook();
  #waiting: DepthEvent[] = [];
  #state: 'idle' | 'waiting' | 'synced' = 'idle';
  #generation = 0;
  resyncs = 0;

  constructor(
    private readonly fetchDepth: () => Promise<WireDepth>,
    private readonly onChange: () => void,
    private readonly later: (work: () => void, ms: number) => void = (work, ms) => {
      setTimeout(work, ms);
    },
  ) {}

  get synced(): boolean {
    return this.#state === 'synced';
  }

  /** Forget what is known and wait for the next difference before the snapshot is asked for. */
  restart(): void {
    this.#generation += 1;
    this.#waiting = [];
    this.#state = 'waiting';
    void this.#load(this.#generation);
  }

  stop(): void {
    this.#generation += 1;
    this.#state = 'idle';
    this.#waiting = [];
  }

  push(event: DepthEvent): void {
    if (this.#state === 'waiting') {
      this.#waiting.push(event);
      if (this.#waiting.length > WAITING_MAX) this.restart();
    } else if (this.#state === 'synced') {
      this.#apply([event]);
    }
  }

  async #load(generation: number): Promise<void> {
    let snapshot: WireDepth;
    try {
      snapshot = await this.fetchDepth();
    } catch {
      this.later(() => {
        if (generation === this.#generation) void this.#load(generation);
      }, RETRY_MS);
      return;
    }
    if (generation !== this.#generation) return;
    const first = this.#waiting[0];
    if (first && first.U > snapshot.lastUpdateId + 1) {
      // The snapshot is older than the first difference: only a newer one can join.
      this.later(() => {
        if (generation === this.#generation) void this.#load(generation);
      }, RETRY_MS);
      return;
    }
    this.book.reset(snapshot);
    this.#state = 'synced';
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#apply(waiting);
    this.onChange();
  }

  #apply(events: readonly DepthEvent[]): void {
    let changed = false;
    for (const event of events) {
      const applied = this.book.apply(event);
      if (applied === 'gap') {
        this.resyncs += 1;
        this.restart();
        return;
      }
      changed ||= applied === 'applied';
    }
    if (changed) this.onChange();
  }
}
