/**
 * The house's own routes and streams about dealer and agency markets: shapes and calls.
 *
 * Only this file knows their spelling; amounts stay strings until fromWire() takes them. A repeated
 * order with the same client order id is answered as the first was, so a lost answer may be asked
 * for again.
 */
import type { Kind } from './instrument.ts';
import { call } from './rest.ts';
import type { Side } from './wire.ts';

export interface WireQuote {
  price: string | null;
  availability: string | null;
  time: string | null;
}

export interface WirePool {
  orders: number;
  quantity: string;
  notional: string;
  min_notional: string;
  deadline: string | null;
}

export interface WirePools {
  reference_price: string | null;
  pools: { buy: WirePool; sell: WirePool };
}

export interface WireMarket extends Partial<WireQuote>, Partial<WirePools> {
  symbol: string;
  name: string;
  market: Kind;
  base: string;
  quote: string;
  status: string;
  tick_size: string;
  lot_size: string;
  price_min: string;
  price_max: string;
  quantity_min: string;
  quantity_max: string;
  notional_min: string;
  notional_max: string;
  taker_fee: string;
  fee_in_quote: boolean;
  slippage?: string;
  venue?: string;
}

export interface QuoteEvent extends WireQuote {
  e: 'quote';
  E: number;
  s: string;
}

export interface PoolEvent extends WirePools {
  e: 'pool';
  E: number;
  s: string;
}

/** What became of the venue order that orders of mine are part of. */
export interface VenueOrderEvent {
  e: 'venueOrder';
  E: number;
  s: string;
  venue_order: number;
  status: string;
  orders: number[];
}

export interface WireCandle {
  time: string;
  open: string;
  high: string;
  low: string;
  close: string;
  messages: number;
}

/** An order of a dealer or agency market, as its owner reads it. */
export interface WireOutsideOrder {
  id: number;
  symbol: string;
  client_order_id?: string;
  side: Side;
  quantity: string;
  filled_quantity: string;
  filled_quote: string;
  status: string;
  upper_bound?: string | null;
  lower_bound?: string | null;
  wait?: string | null;
  /** The id of the venue order that it is part of. */
  venue_order?: string | null;
  /** Unix, ms. */
  created_at: number;
  updated_at: number;
}

export interface OutsideWish {
  symbol: string;
  side: Side;
  quantity: string;
  upper_bound?: string;
  lower_bound?: string;
  client_order_id: string;
}

const API = '/api/v1';
/** Newest first, open and done: older ones are in the statements. */
const ORDERS_MAX = 500;

export const native = {
  markets: () => call<WireMarket[]>('GET', `${API}/markets/`),
  market: (symbol: string) => call<WireMarket>('GET', `${API}/markets/${symbol}/`),
  candles: (symbol: string, interval: string) =>
    call<WireCandle[]>('GET', `${API}/markets/${symbol}/candles/`, { interval, limit: 500 }),
  orders: (symbol: string) =>
    call<WireOutsideOrder[]>('GET', `${API}/orders/`, { symbol, limit: ORDERS_MAX }),
  place: (wish: OutsideWish) => call<WireOutsideOrder>('POST', `${API}/orders/`, {}, wish),
  cancel: (id: number) => call<unknown>('DELETE', `${API}/orders/${id}/`),
};

export type Native = typeof native;
