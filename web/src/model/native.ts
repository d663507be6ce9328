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
  stop_band?: string;
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

/** What one kind of the house's own analysis says of a book at the end of a bar. */
export interface WireRating {
  kind: string;
  interval: string;
  /** When the bar began. */
  bar: string;
  summary: string;
  value: number;
  detail: Readonly<Record<string, unknown>>;
}

/** A signal that the house sends to everybody; `source` names the rating that spoke, or is empty. */
export interface WireSignal {
  id: number;
  summary: string;
  time: string;
  source: string;
}

/** All that is known of a book: told first. */
export interface SignalsEvent {
  e: 'signals';
  E: number;
  s: string;
  ratings: WireRating[];
  signals: WireSignal[];
}

export interface RatingEvent extends WireRating {
  e: 'rating';
  E: number;
  s: string;
}

export interface SignalEvent extends WireSignal {
  e: 'signal';
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

/** A robot of mine, as the house's overview tells it. */
export interface WireRobot {
  id: string;
  kind: string;
  is_active: boolean;
  killed: boolean;
  state_text: string;
  mode: string;
  day_profit: string;
  month_profit: string;
  /** Why it last did, or did not, what it does; when, Unix ms; empty and 0 before. */
  reason: string;
  reason_ms: number;
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
  robots: () => call<{ cash: string; robots: WireRobot[] }>('GET', `${API}/robots/overview/`),
  killRobot: (id: string) => call<unknown>('POST', `${API}/robots/${id}/kill/`, {}, { on: true }),
};

export type Native = typeof native;
