/** Orders and fills as the page keeps them, from REST answers and from the user stream alike. */
import { type Decimal, ZERO, divideFloor, fromWire } from './decimal.ts';
import type { ExecutionReport, Side, WireMyTrade, WireOrder } from './wire.ts';

export interface Order {
  readonly key: string;
  readonly symbol: string;
  readonly orderId: number;
  readonly clientOrderId: string;
  /** The list that it is in: what fills or fires first ends the others; -1 for none. */
  readonly list: number;
  readonly side: Side;
  readonly type: string;
  readonly timeInForce: string;
  readonly status: string;
  /** Zero for market orders. */
  readonly price: Decimal;
  /** The price that sets a stop going; zero for orders that are none. */
  readonly stop: Decimal;
  /** False for a stop that the market has not reached: it stands in no book. */
  readonly works: boolean;
  readonly quantity: Decimal;
  readonly filled: Decimal;
  readonly filledQuote: Decimal;
  /** When it was accepted, and when it last changed, ms. */
  readonly time: number;
  readonly updated: number;
}

export interface Fill {
  readonly key: string;
  readonly symbol: string;
  readonly orderId: number;
  readonly side: Side;
  readonly price: Decimal;
  readonly quantity: Decimal;
  readonly quote: Decimal;
  readonly fee: Decimal;
  readonly feeAsset: string;
  readonly maker: boolean;
  readonly time: number;
}

export function isOpen(order: Order): boolean {
  return order.status === 'NEW' || order.status === 'PARTIALLY_FILLED';
}

/** A stop that waits for its price. */
export function isWaiting(order: Order): boolean {
  return isOpen(order) && order.stop > ZERO && !order.works;
}

/** What an order that waits for a price, or for the book, is measured by; zero at market. */
export function ownPrice(order: Order): Decimal {
  return order.price > ZERO ? order.price : order.stop;
}

export function averagePrice(order: Order): Decimal | null {
  return order.filled === ZERO ? null : divideFloor(order.filledQuote, order.filled);
}

export function orderFromWire(wire: WireOrder): Order {
  const time = wire.time ?? wire.transactTime ?? 0;
  const stop = fromWire(wire.stopPrice ?? '0');
  return {
    key: `${wire.symbol}:${wire.orderId}`,
    symbol: wire.symbol,
    orderId: wire.orderId,
    clientOrderId: wire.clientOrderId,
    list: wire.orderListId ?? -1,
    side: wire.side,
    type: wire.type,
    timeInForce: wire.timeInForce,
    status: wire.status,
    price: fromWire(wire.price),
    stop,
    works: stop === ZERO || (wire.workingTime ?? -1) >= 0,
    quantity: fromWire(wire.origQty),
    filled: fromWire(wire.executedQty),
    filledQuote: fromWire(wire.cummulativeQuoteQty),
    time,
    updated: wire.updateTime ?? wire.transactTime ?? time,
  };
}

export function orderFromReport(report: ExecutionReport): Order {
  // On a cancel, c is the id of the cancel and C that of the order.
  const stop = fromWire(report.P ?? '0');
  const original = report.C !== '' && report.C !== 'null' ? report.C : report.c;
  return {
    key: `${report.s}:${report.i}`,
    symbol: report.s,
    orderId: report.i,
    clientOrderId: original,
    list: report.g ?? -1,
    side: report.S,
    type: report.o,
    timeInForce: report.f,
    status: report.X,
    price: fromWire(report.p),
    stop,
    works: stop === ZERO || (report.W ?? -1) >= 0,
    quantity: fromWire(report.q),
    filled: fromWire(report.z),
    filledQuote: fromWire(report.Z),
    time: report.O,
    updated: report.T,
  };
}

export function fillFromWire(wire: WireMyTrade): Fill {
  return {
    key: `${wire.symbol}:${wire.id}:${wire.orderId}`,
    symbol: wire.symbol,
    orderId: wire.orderId,
    side: wire.isBuyer ? 'BUY' : 'SELL',
    price: fromWire(wire.price),
    quantity: fromWire(wire.qty),
    quote: fromWire(wire.quoteQty),
    fee: fromWire(wire.commission),
    feeAsset: wire.commissionAsset,
    maker: wire.isMaker,
    time: wire.time,
  };
}

/** The fill inside a report, or null when the report is about something else. */
export function fillFromReport(report: ExecutionReport): Fill | null {
  if (report.x !== 'TRADE') return null;
  return {
    key: `${report.s}:${report.t}:${report.i}`,
    symbol: report.s,
    orderId: report.i,
    side: report.S,
    price: fromWire(report.L),
    quantity: fromWire(report.l),
    quote: fromWire(report.Y),
    fee: fromWire(report.n),
    feeAsset: report.N ?? '',
    maker: report.m,
    time: report.T,
  };
}

/** Whether `next` knows more than `known`: streams and answers may arrive in either order. */
export function isNewer(next: Order, known: Order | undefined): boolean {
  if (!known) return true;
  if (!isOpen(known) && isOpen(next)) return false;
  if (next.filled !== known.filled) return next.filled > known.filled;
  return next.updated >= known.updated;
}
