/**
 * What the house's own analysis says of the book on show, and its signals for everybody.
 *
 * Fed by one stream: first all that is known, then each new rating and signal. Whatever was told of
 * another book, or twice, changes nothing. A rating that its next bar should have replaced is stale.
 */
import type { RatingEvent, SignalEvent, SignalsEvent, WireRating, WireSignal } from './native.ts';

export const RATED = ['1m', '5m', '15m', '30m', '1h', '6h', '1d'] as const;
export type Rated = (typeof RATED)[number];

export const KINDS = [
  ['technical_ratings', 'Ratings v3'],
  ['technical_ratings_v1', 'Ratings v1'],
  ['robot', 'Crossing averages'],
] as const;
export type RatingKind = (typeof KINDS)[number][0];

const MINUTE_MS = 60_000;
const MINUTES: Record<Rated, number> = {
  '1m': 1,
  '5m': 5,
  '15m': 15,
  '30m': 30,
  '1h': 60,
  '6h': 360,
  '1d': 1_440,
};
/** The house looks for closed bars, and edges for ratings, about once a second. */
const LATE_MS = 15_000;
const SIGNALS_MAX = 20;

const WORDS: Record<string, string> = {
  STRONG_BUY: 'Strong buy',
  BUY: 'Buy',
  NEUTRAL: 'Neutral',
  SELL: 'Sell',
  STRONG_SELL: 'Strong sell',
};
/** Where a word of a kind ends: five equal parts of the gauge, whatever the figure's range. */
const ENDS: Record<RatingKind, readonly number[]> = {
  technical_ratings: [-1, -0.5, -0.1, 0.1, 0.5, 1],
  technical_ratings_v1: [-1, -0.5, -0.1, 0.1, 0.5, 1],
  robot: [-2, -1.5, -0.5, 0.5, 1.5, 2],
};

export function summaryText(summary: string): string {
  return WORDS[summary] ?? summary;
}

export function toneOf(summary: string): 'buy' | 'sell' | 'even' {
  return summary.endsWith('BUY') ? 'buy' : summary.endsWith('SELL') ? 'sell' : 'even';
}

/** Where a rating stands on the gauge: 0 the strongest sell, 1 the strongest buy. */
export function placeOf(kind: RatingKind, value: number): number {
  const ends = ENDS[kind];
  const parts = ends.length - 1;
  for (let part = 0; part < parts; part += 1) {
    const [low, high] = [ends[part] ?? 0, ends[part + 1] ?? 0];
    if (value <= high || part === parts - 1) {
      const within = Math.min(1, Math.max(0, (value - low) / (high - low)));
      return (part + within) / parts;
    }
  }
  return 0.5;
}

/** When a rating was made: the end of its bar. */
export function madeAt(rating: WireRating): number {
  const minutes = MINUTES[rating.interval as Rated] ?? 0;
  return Date.parse(rating.bar) + minutes * MINUTE_MS;
}

export function isStale(rating: WireRating, now: number): boolean {
  const minutes = MINUTES[rating.interval as Rated] ?? 0;
  return now > madeAt(rating) + minutes * MINUTE_MS + LATE_MS;
}

const keyOf = (kind: string, interval: string) => `${kind} ${interval}`;

export class Signals {
  /** False until the house told what is known of this book. */
  heard = $state(false);
  ratings = $state.raw<ReadonlyMap<string, WireRating>>(new Map());
  signals = $state.raw<readonly WireSignal[]>([]);

  #symbol = '';

  choose(symbol: string): void {
    if (symbol === this.#symbol) return;
    this.#symbol = symbol;
    this.heard = false;
    this.ratings = new Map();
    this.signals = [];
  }

  rating(kind: RatingKind, interval: Rated): WireRating | undefined {
    return this.ratings.get(keyOf(kind, interval));
  }

  take(event: SignalsEvent | RatingEvent | SignalEvent): void {
    if (event.s !== this.#symbol) return;
    if (event.e === 'signals') {
      this.ratings = new Map(event.ratings.map((one) => [keyOf(one.kind, one.interval), one]));
      this.signals = event.signals;
      this.heard = true;
    } else if (event.e === 'rating') {
      const key = keyOf(event.kind, event.interval);
      const known = this.ratings.get(key);
      if (known && known.bar >= event.bar) return;
      this.ratings = new Map(this.ratings).set(key, event);
    } else if (event.e === 'signal') {
      if (this.signals.some((one) => one.id === event.id)) return;
      this.signals = [event, ...this.signals]
        .sort((left, right) => right.id - left.id)
        .slice(0, SIGNALS_MAX);
    }
  }
}
