/** Orders of dealer and agency markets as the page keeps them, and how it says where they are. */
import { ZERO, fromWire } from './decimal.ts';
import type { Instrument, Kind } from './instrument.ts';
import type { WireOutsideOrder } from './native.ts';
import { type Order, isOpen, orderFromReport } from './orders.ts';
import type { ExecutionReport } from './wire.ts';
import { priceText, quantityText } from './words.ts';

export interface OutsideOrder extends Order {
  /** Zero: no lower bound. The upper one is the price. */
  readonly lower: bigint;
  /** The house's name of why it waits; empty when it does not. */
  readonly wait: string;
  /** Of the venue order that it is part of: PENDING, SENT, UNKNOWN, CONFIRMED; empty: of none. */
  readonly venue: string;
}

/** What is known of an order together: only events tell how far its venue order has come. */
export function joined(next: OutsideOrder, known: OutsideOrder | undefined): OutsideOrder {
  return known?.venue ? { ...next, venue: known.venue } : next;
}

export function isOutside(report: ExecutionReport): boolean {
  return report.o === 'BOUNDED' || report.o === 'POOLED';
}

export function outsideFromReport(report: ExecutionReport): OutsideOrder {
  const wait = report.wait ?? '';
  return {
    ...orderFromReport(report),
    stop: ZERO,
    works: true,
    lower: fromWire(report.P ?? '0'),
    wait,
    venue: wait === 'VENUE' ? 'SENT' : '',
  };
}

export function outsideFromWire(wire: WireOutsideOrder, kind: Kind): OutsideOrder {
  return {
    key: `${wire.symbol}:${wire.id}`,
    symbol: wire.symbol,
    orderId: wire.id,
    clientOrderId: wire.client_order_id ?? '',
    list: -1,
    side: wire.side,
    type: kind === 'dealer' ? 'BOUNDED' : 'POOLED',
    timeInForce: 'GTC',
    status: wire.status,
    price: wire.upper_bound ? fromWire(wire.upper_bound) : ZERO,
    stop: ZERO,
    works: true,
    lower: wire.lower_bound ? fromWire(wire.lower_bound) : ZERO,
    quantity: fromWire(wire.quantity),
    filled: fromWire(wire.filled_quantity),
    filledQuote: fromWire(wire.filled_quote),
    wait: wire.wait ?? '',
    venue: wire.venue_order ? 'SENT' : '',
    time: wire.created_at,
    updated: wire.updated_at,
  };
}

const WAIT: Record<string, string> = {
  NO_QUOTE: 'Waits for the next price',
  OUT_OF_BOUNDS: 'The price is outside its bounds',
  AVAILABILITY: 'The last price had no more to give',
  INVENTORY_LIMIT: 'The house is at its limit',
  CLOSED: 'The market is closed',
  POOL: 'Waits in the pool',
};

const VENUE: Record<string, string> = {
  PENDING: 'Leaves for the exchange',
  SENT: 'Sent to the exchange',
  UNKNOWN: 'Sent; the answer is being asked for',
};

/** Where an order is, in a person's words. */
export function stateText(order: OutsideOrder): string {
  if (isOpen(order)) {
    if (order.wait === 'VENUE') return VENUE[order.venue] ?? 'With the exchange';
    return WAIT[order.wait] ?? 'Waits';
  }
  if (order.status === 'FILLED') return order.type === 'POOLED' ? 'Allocated' : 'Filled';
  if (order.status === 'CANCELED') return 'Cancelled';
  if (order.status === 'EXPIRED') {
    return order.filled > ZERO ? 'Allocated in part, the rest refunded' : 'Refunded';
  }
  return order.status;
}

export interface Step {
  readonly text: string;
  readonly at: 'done' | 'now' | 'later';
}

/** The way of a pooled order, and how far it has come. */
export function stepsOf(order: OutsideOrder): Step[] {
  const done = !isOpen(order);
  if (done && order.filled === ZERO && order.venue === '') {
    return [
      { text: 'In the pool', at: 'done' },
      { text: stateText(order), at: 'done' },
    ];
  }
  const reached = done ? 4 : order.wait !== 'VENUE' ? 0 : order.venue === 'PENDING' ? 1 : 2;
  const last = done ? stateText(order) : 'Allocated';
  return ['In the pool', 'Sent', 'Confirmed', last].map((text, at) => ({
    text,
    at: at < reached ? 'done' : at === reached ? 'now' : 'later',
  }));
}

/** Only what has not left yet can be called back. */
export function isCancellable(order: OutsideOrder): boolean {
  return isOpen(order) && order.wait !== 'VENUE';
}

/** The prices that an order takes: "18.00 – 20.00", or "up to 20.00". */
export function boundsText(order: OutsideOrder, instrument: Instrument): string {
  if (order.type !== 'BOUNDED') return '\u2013';
  const upper = priceText(instrument, order.price);
  if (order.lower === ZERO) return `up to ${upper}`;
  return `${priceText(instrument, order.lower)} \u2013 ${upper}`;
}

/** What a notice says of an order's newest state. */
export function outsideNews(order: OutsideOrder, instrument: Instrument): string {
  const verb = order.side === 'BUY' ? 'Buy' : 'Sell';
  const whole = `${quantityText(instrument, order.quantity)} ${instrument.base}`;
  const part = order.filled > ZERO ? `; ${quantityText(instrument, order.filled)} filled` : '';
  return `${verb} ${whole}${order.status === 'FILLED' ? '' : part}`;
}
