import { describe, expect, it } from 'vitest';
import { withQuote } from '../src/model/candles.ts';
import { formatDecimal, fromWire } from '../src/model/decimal.ts';
import { type Instrument, instrumentFromMarket } from '../src/model/instrument.ts';
import type { WireMarket, WireOutsideOrder } from '../src/model/native.ts';
import {
  boundsText,
  isCancellable,
  isOutside,
  outsideFromReport,
  outsideFromWire,
  stateText,
  stepsOf,
} from '../src/model/outside_orders.ts';
import { type OutsideTicket, evaluateOutside } from '../src/model/outside_ticket.ts';
import type { ExecutionReport } from '../src/model/wire.ts';
import { ageText, leftText } from '../src/model/words.ts';

const wire = (part: Partial<WireMarket>): WireMarket => ({
  symbol: 'CIBUSD',
  name: 'CIB',
  market: 'dealer',
  base: 'CIB',
  quote: 'USD',
  status: 'TRADING',
  tick_size: '0.01',
  lot_size: '1',
  price_min: '0.01000000',
  price_max: '1000000.00000000',
  quantity_min: '1.00000000',
  quantity_max: '100000.00000000',
  notional_min: '0.00000000',
  notional_max: '900000000.00000000',
  taker_fee: '0.00000000',
  fee_in_quote: false,
  ...part,
});
const cib = instrumentFromMarket(wire({}));
const aban = instrumentFromMarket(
  wire({
    symbol: 'ABANUSD',
    market: 'agency',
    base: 'ABAN',
    lot_size: '0.0001',
    quantity_min: '0.00010000',
    slippage: '0.01500000',
    venue: 'outside',
  }),
);
const rich = { base: fromWire('500'), quote: fromWire('10000') };
const ticket = (part: Partial<OutsideTicket>): OutsideTicket => ({
  side: 'BUY',
  quantity: '100',
  upper: '20.00',
  lower: '',
  ...part,
});
const meant = (part: Partial<OutsideTicket>, instrument: Instrument = cib, reference = '10') =>
  evaluateOutside(ticket(part), { instrument, reference: fromWire(reference), free: rich });
const held = (part: Partial<OutsideTicket>, instrument?: Instrument, reference?: string) => {
  const { held: amount, heldAsset } = meant(part, instrument, reference);
  return amount === null ? null : `${formatDecimal(amount)} ${heldAsset}`;
};
const said = (part: Partial<OutsideTicket>, instrument?: Instrument) =>
  meant(part, instrument).problems.map((one) => `${one.field}: ${one.text}`);

describe('what is held before an order is sent', () => {
  it('is quantity x upper bound for a buyer of a dealer', () => {
    expect(held({})).toBe('2000 USD');
  });
  it('is the shares for a seller', () => {
    expect(held({ side: 'SELL' })).toBe('100 CIB');
  });
  it('is quantity x reference x (1 + slippage), cut to a tick, in an agency market', () => {
    expect(held({ quantity: '1.5' }, aban, '10')).toBe('15.225 USD');
    expect(held({ quantity: '1' }, aban, '10.01')).toBe('10.16 USD');
    expect(held({ side: 'SELL', quantity: '1.5' }, aban)).toBe('1.5 ABAN');
  });
  it('has the fee in it where that is taken in quote', () => {
    const whole = { ...cib, feeInQuote: true, takerFee: fromWire('0.001') };
    expect(held({}, whole)).toBe('2002 USD');
  });
});

describe('what the house would refuse is said at its field', () => {
  it('a price off the tick, a quantity off the lot', () => {
    expect(said({ upper: '20.005', quantity: '1.5' })).toEqual([
      'upper: Tick size is 0.01; the price was 20.005.',
      'quantity: Lot size is 1; the quantity was 1.5.',
    ]);
  });
  it('a lower bound above the upper one', () => {
    expect(said({ lower: '21' })).toEqual([
      'lower: The lower bound is above the upper one, 20.00.',
    ]);
  });
  it('more than one has', () => {
    expect(said({ quantity: '501' })).toEqual([
      'quantity: This holds 10,020.00 USD; you have 10,000.00 available.',
    ]);
    expect(said({ side: 'SELL', quantity: '501' })).toEqual([
      'quantity: This holds 501 CIB; you have 500 available.',
    ]);
  });
  it('an agency market without a reference price', () => {
    const { problems } = evaluateOutside(ticket({}), {
      instrument: aban,
      reference: null,
      free: rich,
    });
    expect(problems[0]?.field).toBe('form');
  });
  it('nothing, and the wish has what is needed only', () => {
    expect(meant({ lower: '15' }).wish).toEqual({
      symbol: 'CIBUSD',
      side: 'BUY',
      quantity: '100',
      upper_bound: '20.00',
      lower_bound: '15',
    });
    expect(meant({ quantity: '0.5' }, aban).wish).toEqual({
      symbol: 'ABANUSD',
      side: 'BUY',
      quantity: '0.5',
    });
  });
});

const order = (part: Partial<WireOutsideOrder>, kind: 'dealer' | 'agency' = 'agency') =>
  outsideFromWire(
    {
      id: 7,
      symbol: 'ABANUSD',
      side: 'BUY',
      quantity: '1.5',
      filled_quantity: '0',
      filled_quote: '0',
      status: 'NEW',
      wait: 'POOL',
      created_at: 1,
      updated_at: 1,
      ...part,
    },
    kind,
  );
const way = (part: Partial<WireOutsideOrder>) =>
  stepsOf(order(part))
    .map((step) => `${step.text} ${step.at}`)
    .join(', ');

describe('where an order is', () => {
  it('goes from the pool to the allocation', () => {
    expect(way({})).toBe('In the pool now, Sent later, Confirmed later, Allocated later');
    expect(way({ wait: 'VENUE', venue_order: 'F-1' })).toBe(
      'In the pool done, Sent done, Confirmed now, Allocated later',
    );
    expect(way({ status: 'FILLED', filled_quantity: '1.5', wait: null, venue_order: 'F-1' })).toBe(
      'In the pool done, Sent done, Confirmed done, Allocated done',
    );
  });
  it('or back to its owner', () => {
    expect(way({ status: 'EXPIRED', wait: null })).toBe('In the pool done, Refunded done');
    expect(way({ status: 'CANCELED', wait: null })).toBe('In the pool done, Cancelled done');
    expect(stateText(order({ status: 'EXPIRED', filled_quantity: '1', wait: null }))).toBe(
      'Allocated in part, the rest refunded',
    );
  });
  it('can be called back until it is sent', () => {
    expect(isCancellable(order({}))).toBe(true);
    expect(isCancellable(order({ wait: 'VENUE' }))).toBe(false);
    expect(isCancellable(order({ status: 'FILLED' }))).toBe(false);
  });
  it('says its bounds and why it waits', () => {
    const both = order({ upper_bound: '20', lower_bound: '18.5', wait: 'OUT_OF_BOUNDS' }, 'dealer');
    expect(boundsText(both, cib)).toBe('18.50 \u2013 20.00');
    expect(boundsText(order({ upper_bound: '20' }, 'dealer'), cib)).toBe('up to 20.00');
    expect(stateText(both)).toBe('The price is outside its bounds');
  });
  it('is heard on the user stream, too', () => {
    const report = {
      e: 'executionReport', E: 1, s: 'CIBUSD', c: 'a', C: '', S: 'BUY', o: 'BOUNDED', f: 'GTC',
      q: '100', p: '20', P: '15', x: 'TRADE', X: 'PARTIALLY_FILLED', r: 'NONE', i: 7, l: '60',
      z: '60', L: '19', n: '0', N: null, T: 2, t: 1, m: false, O: 1, Z: '1140', Y: '1140',
      wait: 'AVAILABILITY',
    } satisfies ExecutionReport; // prettier-ignore
    expect(isOutside(report)).toBe(true);
    const heard = outsideFromReport(report);
    expect([heard.lower, heard.filled, heard.wait]).toEqual([
      fromWire('15'),
      fromWire('60'),
      'AVAILABILITY',
    ]);
  });
});

describe('quotes make candles', () => {
  const MINUTE = 60_000;
  it('a minute is one candle, a late quote none', () => {
    let series = withQuote([], '1m', 10 * MINUTE + 5, 20);
    series = withQuote(series, '1m', 10 * MINUTE + 9, 18);
    series = withQuote(series, '1m', 11 * MINUTE, 19);
    series = withQuote(series, '1m', 10 * MINUTE + 10, 99);
    expect(series).toEqual([
      { time: 10 * MINUTE, open: 20, high: 20, low: 18, close: 18, volume: 2 },
      { time: 11 * MINUTE, open: 19, high: 19, low: 19, close: 19, volume: 1 },
    ]);
  });
});

describe('times in words', () => {
  it('age and what is left', () => {
    expect([-5, 3_000, 61_000, 7_300_000, 3e8].map(ageText)).toEqual([
      '0 s ago',
      '3 s ago',
      '1 min ago',
      '2 h ago',
      '3 days ago',
    ]);
    expect([-1, 1, 59_500, 3_600_000].map(leftText)).toEqual(['0:00', '0:01', '1:00', '1:00:00']);
  });
});
