/**
 * What a ticket of a dealer or agency market means before it is sent: what is held, and everything
 * that the house would refuse.
 *
 * Pure. Dealer: a buy holds quantity x upper bound. Agency: a buy holds quantity x the reference
 * price with the venue's slippage on it, cut to a tick. A sell holds what it sells. Where a fee is
 * taken in quote, a buy holds it, too. The house has the last word.
 */
import {
  type Decimal,
  ONE,
  floorTo,
  formatDecimal,
  formatFixed,
  formatGrouped,
  multiplyFloor,
} from './decimal.ts';
import type { Instrument } from './instrument.ts';
import type { OutsideWish } from './native.ts';
import { priceOf, quantityOf } from './ticket.ts';
import type { Side } from './wire.ts';

export interface OutsideTicket {
  readonly side: Side;
  readonly quantity: string;
  readonly upper: string;
  readonly lower: string;
}

export interface OutsideMarket {
  readonly instrument: Instrument;
  /** Agency: the reference price; null before there is one. */
  readonly reference: Decimal | null;
  readonly free: { readonly base: Decimal; readonly quote: Decimal } | null;
}

export type OutsideField = 'quantity' | 'upper' | 'lower' | 'form';

export interface OutsideProblem {
  readonly field: OutsideField;
  readonly text: string;
  readonly fixes: readonly string[];
  readonly quiet?: boolean;
}

export interface OutsideEstimate {
  readonly problems: readonly OutsideProblem[];
  readonly quantity: Decimal | null;
  /** Worth at the upper bound or at the reference price. */
  readonly worth: Decimal | null;
  readonly held: Decimal | null;
  readonly heldAsset: string;
  readonly wish: Omit<OutsideWish, 'client_order_id'> | null;
}

export function evaluateOutside(ticket: OutsideTicket, market: OutsideMarket): OutsideEstimate {
  const { instrument } = market;
  const problems: OutsideProblem[] = [];
  const fault =
    (field: OutsideField) =>
    (text: string, fixes: string[] = []) =>
      problems.push({ field, text, fixes });
  if (instrument.status !== 'TRADING') {
    fault('form')(`${instrument.symbol} is not trading now (${instrument.status}).`);
  }
  const upper = instrument.kind === 'dealer' ? readBounds(ticket, instrument, problems) : null;
  if (instrument.kind === 'agency' && market.reference === null) {
    fault('form')('There is no reference price yet, so no order can be taken.');
  }
  let quantity: Decimal | null = null;
  if (ticket.quantity.trim() === '') {
    problems.push({ field: 'quantity', text: 'Enter a quantity.', fixes: [], quiet: true });
  } else {
    quantity = quantityOf(ticket.quantity, instrument, fault('quantity'));
  }
  const price = instrument.kind === 'dealer' ? upper : market.reference;
  const worth = price !== null && quantity !== null ? multiplyFloor(price, quantity) : null;
  checkWorth(worth, price, instrument, problems);
  const heldAt = instrument.kind === 'dealer' ? upper : limitOf(market);
  const held = heldOf(ticket.side, quantity, heldAt, instrument);
  const buying = ticket.side === 'BUY';
  checkFunds(buying, held, market, problems);
  return {
    problems,
    quantity,
    worth,
    held,
    heldAsset: buying ? instrument.quote : instrument.base,
    wish: problems.length > 0 || quantity === null ? null : wishOf(ticket, instrument, quantity),
  };
}

/** Read both bounds; return the upper one. */
function readBounds(
  ticket: OutsideTicket,
  instrument: Instrument,
  problems: OutsideProblem[],
): Decimal | null {
  const fault =
    (field: OutsideField) =>
    (text: string, fixes: string[] = []) =>
      problems.push({ field, text, fixes });
  let upper: Decimal | null = null;
  if (ticket.upper.trim() === '') {
    problems.push({ field: 'upper', text: 'Enter the upper bound.', fixes: [], quiet: true });
  } else {
    upper = priceOf(ticket.upper, instrument, fault('upper'));
  }
  if (ticket.lower.trim() === '') return upper;
  const lower = priceOf(ticket.lower, instrument, fault('lower'));
  if (lower !== null && upper !== null && lower > upper) {
    const text = formatFixed(upper, instrument.pricePlaces);
    fault('lower')(`The lower bound is above the upper one, ${text}.`, [text]);
  }
  return upper;
}

/** The worst price at which an agency order may be filled: at it a buy holds. */
export function limitOf({ instrument, reference }: OutsideMarket): Decimal | null {
  if (reference === null) return null;
  return floorTo((reference * (ONE + instrument.slippage)) / ONE, instrument.tickSize);
}

function heldOf(
  side: Side,
  quantity: Decimal | null,
  price: Decimal | null,
  instrument: Instrument,
): Decimal | null {
  if (quantity === null || side === 'SELL') return quantity;
  if (price === null) return null;
  const notional = multiplyFloor(price, quantity);
  return instrument.feeInQuote ? notional + multiplyFloor(notional, instrument.takerFee) : notional;
}

function checkWorth(
  worth: Decimal | null,
  price: Decimal | null,
  instrument: Instrument,
  problems: OutsideProblem[],
): void {
  if (worth === null || !price || worth >= instrument.notionalMin) return;
  const least = formatDecimal(instrument.notionalMin);
  problems.push({
    field: 'quantity',
    text: `An order must be worth at least ${least} ${instrument.quote}.`,
    fixes: [],
  });
}

function checkFunds(
  buying: boolean,
  held: Decimal | null,
  { instrument, free }: OutsideMarket,
  problems: OutsideProblem[],
): void {
  const has = buying ? free?.quote : free?.base;
  if (has === undefined || held === null || held <= has) return;
  const asset = buying ? instrument.quote : instrument.base;
  const places = buying ? instrument.quotePlaces : instrument.quantityPlaces;
  problems.push({
    field: 'quantity',
    text:
      `This holds ${formatGrouped(held, places)} ${asset}; ` +
      `you have ${formatGrouped(has, places)} available.`,
    fixes: [],
  });
}

function wishOf(
  ticket: OutsideTicket,
  instrument: Instrument,
  quantity: Decimal,
): Omit<OutsideWish, 'client_order_id'> {
  const wish = {
    symbol: instrument.symbol,
    side: ticket.side,
    quantity: formatDecimal(quantity),
  };
  if (instrument.kind !== 'dealer') return wish;
  const lower = ticket.lower.trim();
  return {
    ...wish,
    upper_bound: ticket.upper.trim(),
    ...(lower === '' ? {} : { lower_bound: lower }),
  };
}
