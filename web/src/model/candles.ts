/**
 * The candles of one instrument and interval: history from klines, the last one from the stream.
 *
 * Prices here are for drawing and are floats on purpose; no amount that is sent comes from here.
 */
import type { WireCandle } from './native.ts';
import type { KlineEvent, WireKline } from './wire.ts';

export const INTERVALS = ['1m', '5m', '15m', '1h', '4h', '1d'] as const;
export type Interval = (typeof INTERVALS)[number];

export const INTERVAL_MS: Record<Interval, number> = {
  '1m': 60_000,
  '5m': 300_000,
  '15m': 900_000,
  '1h': 3_600_000,
  '4h': 14_400_000,
  '1d': 86_400_000,
};

export interface Candle {
  /** Open time, ms. */
  readonly time: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** Of a dealer market: how many messages. */
  readonly volume: number;
}

export function candleFromKline(wire: WireKline): Candle {
  return {
    time: wire[0],
    open: Number(wire[1]),
    high: Number(wire[2]),
    low: Number(wire[3]),
    close: Number(wire[4]),
    volume: Number(wire[5]),
  };
}

export function candleFromEvent(event: KlineEvent): Candle {
  const { t, o, h, l, c, v } = event.k;
  return {
    time: t,
    open: Number(o),
    high: Number(h),
    low: Number(l),
    close: Number(c),
    volume: Number(v),
  };
}

export function candleFromQuotes(wire: WireCandle): Candle {
  return {
    time: Date.parse(wire.time),
    open: Number(wire.open),
    high: Number(wire.high),
    low: Number(wire.low),
    close: Number(wire.close),
    volume: wire.messages,
  };
}

/** The series with one more quote in it; one from before the last candle changes nothing. */
export function withQuote(
  series: readonly Candle[],
  interval: Interval,
  time: number,
  price: number,
): readonly Candle[] {
  const start = time - (time % INTERVAL_MS[interval]);
  const last = series.at(-1);
  if (last && start < last.time) return series;
  if (last?.time !== start) {
    return [
      ...series,
      { time: start, open: price, high: price, low: price, close: price, volume: 1 },
    ];
  }
  const high = Math.max(last.high, price);
  const low = Math.min(last.low, price);
  return withCandle(series, { ...last, high, low, close: price, volume: last.volume + 1 });
}

/** The series with one candle put in its place: last, replacing, or (late) in the middle. */
export function withCandle(series: readonly Candle[], candle: Candle): Candle[] {
  const last = series.at(-1);
  if (!last || candle.time > last.time) return [...series, candle];
  if (candle.time === last.time) return [...series.slice(0, -1), candle];
  return series.map((one) => (one.time === candle.time ? candle : one));
}

/** Older history in front of what is there, without doubles. */
export function withOlder(series: readonly Candle[], older: readonly Candle[]): Candle[] {
  const first = series[0]?.time ?? Number.POSITIVE_INFINITY;
  return [...older.filter((one) => one.time < first), ...series];
}
