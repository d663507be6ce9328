import { describe, expect, it } from 'vitest';
import {
  bollinger,
  exponentialAverage,
  relativeStrength,
  simpleAverage,
} from '../src/charts/indicators.ts';
import { type Candle, withCandle, withOlder } from '../src/model/candles.ts';

const candle = (time: number, close = 1): Candle => ({
  time,
  open: 1,
  high: 1,
  low: 1,
  close,
  volume: 1,
});

describe('candles', () => {
  it('replaces the last, appends the next, mends a late one and ignores one before history', () => {
    const series = [candle(1), candle(2)];
    expect(withCandle(series, candle(2, 9)).map((one) => one.close)).toEqual([1, 9]);
    expect(withCandle(series, candle(3)).length).toBe(3);
    expect(withCandle(series, candle(1, 9)).map((one) => one.close)).toEqual([9, 1]);
    expect(withCandle(series, candle(0)).length).toBe(2);
  });

  it('puts older history in front without doubles', () => {
    expect(
      withOlder([candle(3)], [candle(1), candle(2), candle(3)]).map((one) => one.time),
    ).toEqual([1, 2, 3]);
  });
});

describe('indicators', () => {
  it('have no value before they have enough history', () => {
    expect(simpleAverage([1, 2, 3, 4], 3)).toEqual([null, null, 2, 3]);
    expect(exponentialAverage([1, 2, 3, 5], 3)).toEqual([null, null, 2, 3.5]);
    expect(relativeStrength([1, 2, 3], 3)).toEqual([null, null, null]);
  });

  it('agree with their definitions', () => {
    expect(relativeStrength([1, 2, 1, 2, 1], 2)).toEqual([null, null, 50, 75, 37.5]);
    expect(relativeStrength([1, 2, 3, 4], 2).at(-1)).toBe(100);
    const { upper, lower } = bollinger([1, 3], 2, 2);
    expect([upper, lower]).toEqual([
      [null, 4],
      [null, 0],
    ]);
  });
});
