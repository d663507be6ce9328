import { describe, expect, it } from 'vitest';
import type { RatingEvent, SignalEvent, WireRating } from '../src/model/native.ts';
import { Signals, isStale, madeAt, placeOf } from '../src/model/signals.svelte.ts';

const rating = (part: Partial<WireRating> = {}): WireRating => ({
  kind: 'technical_ratings',
  interval: '1h',
  bar: '2026-11-29T11:00:00Z',
  summary: 'BUY',
  value: 0.3,
  detail: {},
  ...part,
});
const told = (part: Partial<RatingEvent> = {}): RatingEvent => ({
  ...rating(),
  e: 'rating',
  E: 1,
  s: 'BTCUSDT',
  ...part,
});
const signal = (id: number, s = 'BTCUSDT'): SignalEvent => ({
  e: 'signal',
  E: 1,
  s,
  id,
  summary: 'SELL',
  time: '2026-11-29T12:00:00Z',
  source: '',
});
const begun = () => {
  const signals = new Signals();
  signals.choose('BTCUSDT');
  signals.take({ e: 'signals', E: 1, s: 'BTCUSDT', ratings: [rating()], signals: [signal(3)] });
  return signals;
};

describe('ratings and signals of the book on show', () => {
  it('are what was told first, then each newer one', () => {
    const signals = begun();
    signals.take(told({ bar: '2026-11-29T12:00:00Z', summary: 'SELL' }));
    expect(signals.rating('technical_ratings', '1h')?.summary).toBe('SELL');
    signals.take(told({ summary: 'NEUTRAL' }));
    expect(signals.rating('technical_ratings', '1h')?.summary).toBe('SELL');
    expect(signals.rating('technical_ratings', '1d')).toBeUndefined();
    for (const id of [5, 4, 5]) signals.take(signal(id));
    expect(signals.signals.map((one) => one.id)).toEqual([5, 4, 3]);
  });

  it('are never those of another book, and go when one is left', () => {
    const signals = begun();
    signals.take(signal(9, 'ETHUSDT'));
    expect(signals.signals.map((one) => one.id)).toEqual([3]);
    signals.choose('BTCUSDT');
    expect(signals.heard).toBe(true);
    signals.choose('ETHUSDT');
    expect([signals.heard, signals.ratings.size, signals.signals.length]).toEqual([false, 0, 0]);
  });

  it('are begun anew by a connection that came back', () => {
    const signals = begun();
    signals.take({ e: 'signals', E: 2, s: 'BTCUSDT', ratings: [], signals: [signal(8)] });
    expect([signals.ratings.size, signals.signals[0]?.id]).toEqual([0, 8]);
  });

  it('are stale once the next bar should have replaced them', () => {
    const one = rating();
    expect(madeAt(one)).toBe(Date.parse('2026-11-29T12:00:00Z'));
    expect(isStale(one, Date.parse('2026-11-29T13:00:10Z'))).toBe(false);
    expect(isStale(one, Date.parse('2026-11-29T13:00:16Z'))).toBe(true);
  });

  it('stand in the part of the gauge that their word means', () => {
    expect(placeOf('technical_ratings', -1)).toBe(0);
    expect(placeOf('technical_ratings', 0)).toBeCloseTo(0.5);
    expect(placeOf('technical_ratings', 0.3)).toBeCloseTo(0.7);
    expect(placeOf('technical_ratings', 1)).toBe(1);
    expect(placeOf('robot', 1)).toBeCloseTo(0.7);
    expect(placeOf('robot', -2)).toBe(0);
    expect(placeOf('technical_ratings', 7)).toBe(1);
  });
});
