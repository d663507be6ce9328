import { describe, expect, it } from 'vitest';
import type { Instrument } from '../src/model/instrument.ts';
import {
  fillFromReport,
  isNewer,
  isOpen,
  isWaiting,
  orderFromReport,
  orderFromWire,
} from '../src/model/orders.ts';
import { csrfToken } from '../src/model/rest.ts';
import { readPreferences } from '../src/model/preferences.ts';
import type { ExecutionReport, WireOrder } from '../src/model/wire.ts';
import { changePercent, clockText, pairNews, signed } from '../src/model/words.ts';
import { fromWire } from '../src/model/decimal.ts';

const wire: WireOrder = {
  symbol: 'BTCUSDT',
  orderId: 7,
  clientOrderId: 'a',
  price: '20.00000000',
  origQty: '1.00000000',
  executedQty: '0.25000000',
  cummulativeQuoteQty: '5.00000000',
  status: 'PARTIALLY_FILLED',
  timeInForce: 'GTC',
  type: 'LIMIT',
  side: 'BUY',
  time: 100,
  updateTime: 200,
};
const report = (part: Partial<ExecutionReport>): ExecutionReport => ({
  e: 'executionReport',
  E: 1,
  s: 'BTCUSDT',
  c: 'a',
  C: '',
  S: 'BUY',
  o: 'LIMIT',
  f: 'GTC',
  q: '1.00000000',
  p: '20.00000000',
  x: 'TRADE',
  X: 'FILLED',
  r: 'NONE',
  i: 7,
  l: '0.75000000',
  z: '1.00000000',
  L: '20.00000000',
  n: '0.00075000',
  N: 'BTC',
  T: 300,
  t: 5,
  m: true,
  O: 100,
  Z: '20.00000000',
  Y: '15.00000000',
  ...part,
});

describe('orders', () => {
  it('from REST and from the stream are one order', () => {
    expect(orderFromReport(report({})).key).toBe(orderFromWire(wire).key);
    expect(isOpen(orderFromWire(wire))).toBe(true);
    expect(isOpen(orderFromReport(report({})))).toBe(false);
  });

  it('never go back: a late answer does not reopen or unfill what the stream told', () => {
    const early = orderFromWire(wire);
    const done = orderFromReport(report({}));
    expect(isNewer(done, early)).toBe(true);
    expect(isNewer(early, done)).toBe(false);
    expect(isNewer(orderFromWire({ ...wire, executedQty: '0.10000000' }), early)).toBe(false);
  });

  it('keep their own client id when a cancel has another', () => {
    expect(
      orderFromReport(report({ x: 'CANCELED', X: 'CANCELED', c: 'cancel-1', C: 'a' }))
        .clientOrderId,
    ).toBe('a');
  });

  it('wait while their stop was not reached, by REST and by the stream alike', () => {
    const stop = { status: 'NEW', type: 'STOP_LOSS', stopPrice: '19.00000000' };
    expect(isWaiting(orderFromWire({ ...wire, ...stop, workingTime: -1 }))).toBe(true);
    expect(isWaiting(orderFromWire({ ...wire, ...stop, workingTime: 150 }))).toBe(false);
    const told = { x: 'NEW', X: 'NEW', o: 'STOP_LOSS', P: '19.00000000' };
    expect(isWaiting(orderFromReport(report({ ...told, W: -1 })))).toBe(true);
    expect(isWaiting(orderFromReport(report({ ...told, W: 150 })))).toBe(false);
    expect(isWaiting(orderFromReport(report({ ...told, X: 'CANCELED', W: -1 })))).toBe(false);
    expect(isWaiting(orderFromWire(wire))).toBe(false);
  });

  it('have a fill only in a trade', () => {
    expect(fillFromReport(report({}))?.feeAsset).toBe('BTC');
    expect(fillFromReport(report({ x: 'NEW' }))).toBeNull();
  });
});

describe('a pair in one notice', () => {
  const coins = { base: 'BTC', pricePlaces: 2, quantityPlaces: 1 } as Instrument;
  const of = (status: string, part: Partial<WireOrder> = {}) =>
    orderFromWire({ ...wire, side: 'SELL', status, executedQty: '0', orderListId: 3, ...part });
  const stop = { orderId: 8, type: 'STOP_LOSS', stopPrice: '19', price: '0', workingTime: -1 };

  it.each([
    ['NEW', 'NEW', {}, 'Pair placed'],
    ['NEW', 'CANCELED', {}, 'Pair cancelled'],
    ['CANCELED', 'CANCELED', {}, 'Pair cancelled'],
    ['EXPIRED', 'EXPIRED', {}, 'Pair ended, unfilled'],
    ['EXPIRED', 'FILLED', { executedQty: '1.0' }, 'Sold 1.0 BTC'],
    ['EXPIRED', 'NEW', { price: '19', workingTime: 5 }, 'Order on the book'],
  ])('%s and %s', (first, second, part, title) => {
    const pair = [of(first, { type: 'LIMIT_MAKER' }), of(second, { ...stop, ...part })];
    expect(pairNews(pair, coins).title).toBe(title);
  });

  it('says both prices', () => {
    expect(pairNews([of('NEW'), of('NEW', stop)], coins).text).toBe(
      'Sell 1.0 BTC: take profit 20.00; stop \u2264 19.00',
    );
  });
});

describe('small words', () => {
  it('finds the token among the cookies, under any of its names', () => {
    expect(csrfToken('a=1; csrftoken=abc%3D; b=2')).toBe('abc=');
    expect(csrfToken('__Host-csrftoken=x')).toBe('x');
    expect(csrfToken('')).toBe('');
  });

  it('says changes exactly and signed', () => {
    expect(signed(changePercent(fromWire('200'), fromWire('199')))).toBe('\u22120.50');
    expect(signed(changePercent(fromWire('3'), fromWire('4')))).toBe('+33.33');
    expect(changePercent(0n, 5n)).toBe('0.00');
    expect(clockText(86_399_000)).toBe('23:59:59');
  });

  it('survives a broken memory of looks', () => {
    expect(readPreferences({ getItem: () => '{broken' }).interval).toBe('1m');
    expect(
      readPreferences({ getItem: () => '{"interval":"3y","theme":"pink","indicators":[1,"a"]}' }),
    ).toEqual({
      interval: '1m',
      theme: 'system',
      symbol: '',
      indicators: ['a'],
    });
  });
});
