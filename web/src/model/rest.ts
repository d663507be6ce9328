/**
 * Calls to the trading API of the same origin.
 *
 * Promises: an answer, a Refusal in the server's own words, or NoAnswer (outcome unknown: nobody
 * may conclude that nothing happened). Signed in by the session cookie; what changes something
 * also carries the CSRF token. Keeps nothing.
 */
import type { StopType } from './stops.ts';
import type {
  Side,
  WireAccount,
  WireCommission,
  WireDepth,
  WireExchangeInfo,
  WireKline,
  WireMyTrade,
  WireOrder,
  WireOrderList,
  WireRefusal,
  WireTicker,
  WireTrade,
} from './wire.ts';

const TIMEOUT_MS = 10_000;

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
    /** What a native route says of single fields, by its own names for them. */
    readonly fields: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }

  get signedOut(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** The request left and nothing certain came back. */
export class NoAnswer extends Error {}

export interface OrderWish {
  symbol: string;
  side: Side;
  type: 'LIMIT' | 'MARKET' | 'LIMIT_MAKER' | StopType;
  timeInForce?: 'GTC' | 'IOC' | 'FOK';
  quantity?: string;
  quoteOrderQty?: string;
  price?: string;
  stopPrice?: string;
  newClientOrderId: string;
}

/** The two orders of a list, by which side of the last price each is on: aboveType, belowPrice, … */
export interface PairWish {
  symbol: string;
  side: Side;
  quantity: string;
  [leg: `above${string}` | `below${string}`]: string;
}

type Fields = Record<string, string | number | undefined>;

function encode(fields: Fields): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.toString();
}

export function csrfToken(cookies: string = document.cookie): string {
  for (const pair of cookies.split(';')) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    if (name === 'csrftoken' || name === '__Host-csrftoken' || name === '__Secure-csrftoken') {
      return decodeURIComponent(pair.slice(at + 1).trim());
    }
  }
  return '';
}

/** `json` is sent as the body; the fields always stand in the query. */
export async function call<Answer>(
  method: string,
  path: string,
  fields: Fields = {},
  json?: object,
): Promise<Answer> {
  const query = encode(fields);
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-CSRFToken'] = csrfToken();
  if (json) headers['Content-Type'] = 'application/json';
  let response: Response;
  let text: string;
  try {
    response = await fetch(query ? `${path}?${query}` : path, {
      method,
      headers,
      body: json ? JSON.stringify(json) : null,
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (cause) {
    throw new NoAnswer('The house did not answer.', { cause });
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = null;
  }
  if (response.status === 204) return null as Answer;
  if (response.ok && body !== null) return body as Answer;
  const refusal = refusalOf(body);
  // -1007: the house itself does not know the outcome.
  if (refusal?.code === -1007 || (body === null && response.status >= 500)) {
    throw new NoAnswer(refusal?.msg ?? `The house answered ${response.status} without a reason.`);
  }
  throw new Refusal(
    response.status,
    refusal?.code ?? 0,
    refusal?.msg ?? `The house answered ${response.status} without a reason.`,
    refusal?.fields,
  );
}

interface Told {
  code: number;
  msg: string | undefined;
  fields: Record<string, string>;
}

/** A refusal in either spelling: {code, msg}, or a native {error}, {detail}, {field: [texts]}. */
function refusalOf(body: unknown): Told | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  const { code, msg, error, detail, ...rest } = body as Partial<WireRefusal> &
    Record<string, unknown>;
  const fields: Record<string, string> = {};
  for (const [name, texts] of Object.entries(rest)) {
    if (Array.isArray(texts)) fields[name] = texts.join(' ');
  }
  const said = [msg, error, detail].find((one) => typeof one === 'string') as string | undefined;
  return { code: code ?? 0, msg: said ?? Object.values(fields)[0], fields };
}

const API = '/api/v3';

export const rest = {
  exchangeInfo: () => call<WireExchangeInfo>('GET', `${API}/exchangeInfo`),
  /** `status` 1: the house is in maintenance. */
  houseState: () => call<{ status: number }>('GET', '/sapi/v1/system/status'),
  tickers: () => call<WireTicker[]>('GET', `${API}/ticker/24hr`),
  depth: (symbol: string) => call<WireDepth>('GET', `${API}/depth`, { symbol, limit: 1000 }),
  trades: (symbol: string) => call<WireTrade[]>('GET', `${API}/trades`, { symbol, limit: 80 }),
  klines: (symbol: string, interval: string, endTime?: number) =>
    call<WireKline[]>('GET', `${API}/klines`, { symbol, interval, limit: 500, endTime }),
  account: () => call<WireAccount>('GET', `${API}/account`),
  commission: (symbol: string) =>
    call<WireCommission>('GET', `${API}/account/commission`, { symbol }),
  openOrders: () => call<WireOrder[]>('GET', `${API}/openOrders`),
  allOrders: (symbol: string) =>
    call<WireOrder[]>('GET', `${API}/allOrders`, { symbol, limit: 100 }),
  myTrades: (symbol: string) =>
    call<WireMyTrade[]>('GET', `${API}/myTrades`, { symbol, limit: 100 }),
  place: (wish: OrderWish) =>
    call<WireOrder>('POST', `${API}/order`, { ...wish, newOrderRespType: 'FULL' }),
  placePair: (wish: PairWish) =>
    call<WireOrderList>('POST', `${API}/orderList/oco`, { ...wish, newOrderRespType: 'RESULT' }),
  find: (symbol: string, clientOrderId: string) =>
    call<WireOrder>('GET', `${API}/order`, { symbol, origClientOrderId: clientOrderId }),
  cancel: (symbol: string, orderId: number) =>
    call<WireOrder>('DELETE', `${API}/order`, { symbol, orderId }),
  cancelAll: (symbol: string) =>
    call<(WireOrder | WireOrderList)[]>('DELETE', `${API}/openOrders`, { symbol }),
  listen: () => call<{ listenKey: string }>('POST', `${API}/userDataStream`),
  keepListening: (listenKey: string) =>
    call<Record<string, never>>('PUT', `${API}/userDataStream`, { listenKey }),
};

export type Rest = typeof rest;
