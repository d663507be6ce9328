/**
 * The shapes of the house's Binance Spot-compatible API, as the terminal reads them.
 *
 * Only this file knows the wire's spelling; amounts stay strings until fromWire() takes them.
 */
import type {
  PoolEvent,
  QuoteEvent,
  RatingEvent,
  SignalEvent,
  SignalsEvent,
  VenueOrderEvent,
} from './native.ts';

export type Side = 'BUY' | 'SELL';

export interface WireFilter {
  filterType: string;
  minPrice?: string;
  maxPrice?: string;
  tickSize?: string;
  minQty?: string;
  maxQty?: string;
  stepSize?: string;
  minNotional?: string;
  maxNotional?: string;
}

export interface WireSymbol {
  symbol: string;
  status: string;
  baseAsset: string;
  quoteAsset: string;
  baseAssetPrecision: number;
  quoteAssetPrecision: number;
  orderTypes: string[];
  ocoAllowed?: boolean;
  filters: WireFilter[];
}

export interface WireExchangeInfo {
  serverTime: number;
  symbols: WireSymbol[];
}

/** open time, open, high, low, close, volume, close time, quote volume, trades, … */
export type WireKline = [
  number,
  string,
  string,
  string,
  string,
  string,
  number,
  string,
  number,
  string,
  string,
  string,
];

export interface WireDepth {
  lastUpdateId: number;
  bids: [string, string][];
  asks: [string, string][];
}

export interface WireTrade {
  id: number;
  price: string;
  qty: string;
  time: number;
  isBuyerMaker: boolean;
}

export interface WireTicker {
  symbol: string;
  priceChange: string;
  priceChangePercent: string;
  lastPrice: string;
  openPrice: string;
  highPrice: string;
  lowPrice: string;
  volume: string;
  quoteVolume: string;
  count: number;
}

export interface WireOrder {
  symbol: string;
  orderId: number;
  clientOrderId: string;
  price: string;
  origQty: string;
  executedQty: string;
  cummulativeQuoteQty: string;
  origQuoteOrderQty?: string;
  status: string;
  timeInForce: string;
  type: string;
  side: Side;
  /** -1 for an order that is in no list. */
  orderListId?: number;
  stopPrice?: string;
  /** Since when it works, ms; -1 for a stop that waits for its price. */
  workingTime?: number;
  time?: number;
  updateTime?: number;
  transactTime?: number;
  fills?: { price: string; qty: string; commission: string; commissionAsset: string }[];
}

export interface WireOrderList {
  orderListId: number;
  orderReports?: WireOrder[];
}

export interface WireMyTrade {
  symbol: string;
  id: number;
  orderId: number;
  price: string;
  qty: string;
  quoteQty: string;
  commission: string;
  commissionAsset: string;
  time: number;
  isBuyer: boolean;
  isMaker: boolean;
}

export interface WireAccount {
  makerCommission?: number;
  takerCommission?: number;
  commissionRates?: { maker: string; taker: string };
  balances: { asset: string; free: string; locked: string }[];
}

export interface WireCommission {
  standardCommission: { maker: string; taker: string };
}

export interface WireRefusal {
  code: number;
  msg: string;
}

export interface DepthEvent {
  e: 'depthUpdate';
  E: number;
  s: string;
  U: number;
  u: number;
  b: [string, string][];
  a: [string, string][];
}

export interface TradeEvent {
  e: 'trade';
  E: number;
  s: string;
  t: number;
  p: string;
  q: string;
  T: number;
  m: boolean;
}

export interface KlineEvent {
  e: 'kline';
  E: number;
  s: string;
  k: {
    t: number;
    T: number;
    s: string;
    i: string;
    o: string;
    h: string;
    l: string;
    c: string;
    v: string;
    x: boolean;
  };
}

/** Sent without an event name: told by its fields. */
export interface BookTickerEvent {
  u: number;
  s: string;
  b: string;
  B: string;
  a: string;
  A: string;
}

export interface MiniTickerEvent {
  e: '24hrMiniTicker';
  E: number;
  s: string;
  c: string;
  o: string;
  h: string;
  l: string;
  v: string;
  q: string;
}

export interface ExecutionReport {
  e: 'executionReport';
  E: number;
  s: string;
  c: string;
  C: string;
  S: Side;
  o: string;
  f: string;
  q: string;
  p: string;
  x: string;
  X: string;
  r: string;
  i: number;
  /** The list that it is in; -1 for none. */
  g?: number;
  l: string;
  z: string;
  L: string;
  n: string;
  N: string | null;
  T: number;
  t: number;
  m: boolean;
  O: number;
  Z: string;
  Y: string;
  Q?: string;
  /** Stop price; of a bounded order the lower bound. */
  P?: string;
  /** Since when it works, ms; -1 for a stop that waits for its price. */
  W?: number;
  /** Of an order of a dealer or agency market that is open: why it waits. */
  wait?: string;
}

export interface AccountPosition {
  e: 'outboundAccountPosition';
  E: number;
  u: number;
  B: { a: string; f: string; l: string }[];
}

export interface ListenKeyExpired {
  e: 'listenKeyExpired';
  E: number;
  listenKey: string;
}

export type UserEvent = ExecutionReport | AccountPosition | ListenKeyExpired | VenueOrderEvent;

export type MarketEvent =
  | DepthEvent
  | TradeEvent
  | KlineEvent
  | MiniTickerEvent
  | BookTickerEvent
  | QuoteEvent
  | PoolEvent
  | SignalsEvent
  | RatingEvent
  | SignalEvent;
