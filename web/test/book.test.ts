import { describe, expect, it, vi } from 'vitest';
import { LocalBook, rowsOf, walkBudget, walkQuantity } from '../src/model/book.ts';
import { BookSync } from '../src/model/book_sync.ts';
import { formatDecimal, fromWire } from '../src/model/decimal.ts';
import type { DepthEvent, WireDepth } from '../src/model/wire.ts';

const snapshot = (lastUpdateId: number): WireDepth => ({
  lastUpdateId,
  bids: [
    ['99.00000000', '1.00000000'],
    ['98.00000000', '2.00000000'],
  ],
  asks: [
    ['101.00000000', '1.50000000'],
    ['102.00000000', '3.00000000'],
  ],
});
const event = (
  U: number,
  u: number,
  b: [string, string][] = [],
  a: [string, string][] = [],
): DepthEvent => ({
  e: 'depthUpdate',
  E: 0,
  s: 'X',
  U,
  u,
  b,
  a,
});
const prices = (levels: { price: bigint }[]): string[] =>
  levels.map((one) => formatDecimal(one.price));
const d = fromWire;

describe('the local book', () => {
  it('drops differences that the snapshot holds already', () => {
    const book = new LocalBook();
    book.reset(snapshot(10));
    expect(book.apply(event(5, 10, [['99', '7']]))).toBe('old');
    expect(book.bids()[0]?.size).toBe(d('1'));
  });

  it('takes a first difference that covers the next update, and then only joined ones', () => {
    const book = new LocalBook();
    book.reset(snapshot(10));
    expect(
      book.apply(
        event(8, 12, [
          ['99', '0'],
          ['98.5', '4'],
        ]),
      ),
    ).toBe('applied');
    expect(prices(book.bids())).toEqual(['98.5', '98']);
    expect(book.apply(event(13, 13, [], [['100', '1']]))).toBe('applied');
    expect(prices(book.asks())).toEqual(['100', '101', '102']);
    expect(book.apply(event(15, 16))).toBe('gap');
    expect(book.lastUpdateId).toBe(13);
  });

  it('calls a gap when the snapshot is too old for the first difference', () => {
    const book = new LocalBook();
    book.reset(snapshot(10));
    expect(book.apply(event(12, 14))).toBe('gap');
  });

  it('gathers bids downward and asks upward, with totals from the best price', () => {
    const levels = (texts: [string, string][]) =>
      texts.map(([price, size]) => ({ price: d(price), size: d(size) }));
    const bids = rowsOf(
      levels([
        ['99.7', '1'],
        ['99.2', '2'],
        ['98.9', '4'],
      ]),
      'bid',
      d('1'),
      9,
    );
    expect(prices(bids)).toEqual(['99', '98']);
    expect(bids.map((row) => formatDecimal(row.total))).toEqual(['3', '7']);
    const asks = rowsOf(
      levels([
        ['100', '1'],
        ['100.1', '2'],
        ['101.9', '4'],
      ]),
      'ask',
      d('1'),
      2,
    );
    expect(prices(asks)).toEqual(['100', '101']);
  });

  it('walks a quantity and a budget through the levels without a float', () => {
    const asks = [
      { price: d('101'), size: d('1.5') },
      { price: d('102'), size: d('3') },
    ];
    const walk = walkQuantity(asks, d('2'));
    expect([formatDecimal(walk.notional), walk.whole]).toEqual(['202.5', true]);
    expect(walkQuantity(asks, d('5')).whole).toBe(false);
    expect(walkQuantity(asks, d('2'), (price) => price <= d('101')).quantity).toBe(d('1.5'));
    const spent = walkBudget(asks, d('200'), d('0.01'));
    expect([formatDecimal(spent.quantity), formatDecimal(spent.notional)]).toEqual([
      '1.97',
      '199.44',
    ]);
    expect(walkBudget(asks, d('1000'), d('0.01')).whole).toBe(false);
  });
});

describe('keeping the book in step', () => {
  function room(depths: WireDepth[]) {
    const fetches = vi.fn(async () => depths.shift() ?? snapshot(1000));
    const changes = vi.fn();
    const later: (() => void)[] = [];
    const sync = new BookSync(fetches, changes, (work) => later.push(work));
    return { sync, fetches, changes, later };
  }
  const settle = () => new Promise((done) => setImmediate(done));

  it('joins the differences that arrived while the snapshot was on its way', async () => {
    const { sync, changes } = room([snapshot(10)]);
    sync.restart();
    sync.push(event(9, 10, [['99', '5']]));
    sync.push(event(11, 12, [['99', '6']]));
    await settle();
    expect(sync.synced).toBe(true);
    expect(sync.book.bids()[0]?.size).toBe(d('6'));
    expect(changes).toHaveBeenCalled();
  });

  it('asks for a newer snapshot when the first difference is past the one it got', async () => {
    const { sync, fetches, later } = room([snapshot(10), snapshot(20)]);
    sync.restart();
    sync.push(event(15, 20));
    await settle();
    expect(sync.synced).toBe(false);
    later.shift()?.();
    await settle();
    expect([sync.synced, fetches.mock.calls.length]).toEqual([true, 2]);
  });

  it('starts again by itself on a gap and is not in step meanwhile', async () => {
    const { sync, fetches } = room([snapshot(10), snapshot(30)]);
    sync.restart();
    await settle();
    sync.push(event(11, 12));
    sync.push(event(14, 15));
    expect([sync.synced, sync.resyncs]).toEqual([false, 1]);
    await settle();
    expect([sync.synced, fetches.mock.calls.length, sync.book.lastUpdateId]).toEqual([true, 2, 30]);
  });

  it('drops the answer for a book that was left', async () => {
    const { sync, changes } = room([snapshot(10)]);
    sync.restart();
    sync.stop();
    await settle();
    expect([sync.synced, changes.mock.calls.length]).toEqual([false, 0]);
  });

  it('tries again when the snapshot cannot be had', async () => {
    const later: (() => void)[] = [];
    let calls = 0;
    const sync = new BookSync(
      async () => {
        calls += 1;
        if (calls === 1) throw new Error('refused');
        return snapshot(10);
      },
      () => undefined,
      (work) => later.push(work),
    );
    sync.restart();
    await settle();
    expect(sync.synced).toBe(false);
    later.shift()?.();
    await settle();
    expect(sync.synced).toBe(true);
  });
});
