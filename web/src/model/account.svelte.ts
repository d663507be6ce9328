/**
 * What belongs to the person signed in: balances, orders, fills.
 *
 * Fed by REST when the page (re)connects and by the user stream in between; both may tell the
 * same thing twice and in either order.
 */
import { type Decimal, ZERO, fromWire, parseDecimal } from './decimal.ts';
import type { Instrument } from './instrument.ts';
import {
  type Fill,
  type Order,
  fillFromReport,
  fillFromWire,
  isNewer,
  isOpen,
  orderFromReport,
  orderFromWire,
} from './orders.ts';
import { type Rest, Refusal } from './rest.ts';
import type { AccountPosition, ExecutionReport, WireAccount } from './wire.ts';

/** Rows kept of each list; older ones are in the statements. */
const ROWS_MAX = 500;
/** Histories are asked for one instrument at a time; past this only for the one on show. */
const INSTRUMENTS_MAX = 8;

export interface Balance {
  readonly asset: string;
  readonly free: Decimal;
  readonly held: Decimal;
}

export type SignIn = 'unknown' | 'in' | 'out';

export class Account {
  signIn = $state<SignIn>('unknown');
  balances = $state.raw<readonly Balance[]>([]);
  orders = $state.raw<readonly Order[]>([]);
  fills = $state.raw<readonly Fill[]>([]);
  makerRate = $state.raw<Decimal>(ZERO);
  takerRate = $state.raw<Decimal>(ZERO);
  historyRead = $state(false);

  readonly open = $derived(this.orders.filter(isOpen));
  readonly history = $derived(this.orders.filter((order) => !isOpen(order)));

  constructor(private readonly rest: Rest) {}

  free(asset: string): Decimal {
    return this.balances.find((one) => one.asset === asset)?.free ?? ZERO;
  }

  /** Read everything again. Throws what the house or the network said, but for "signed out". */
  async refresh(instruments: readonly Instrument[], shown: Instrument | null): Promise<void> {
    let account: WireAccount;
    try {
      account = await this.rest.account();
    } catch (fault) {
      if (fault instanceof Refusal && fault.signedOut) {
        this.leave();
        return;
      }
      throw fault;
    }
    this.signIn = 'in';
    this.#takeBalances(account);
    const before = new Set(this.open.map((order) => order.key));
    const open = (await this.rest.openOrders()).map(orderFromWire);
    this.#replaceOpen(open, before);
    const among = instruments.length <= INSTRUMENTS_MAX ? instruments : shown ? [shown] : [];
    for (const instrument of among) await this.readHistory(instrument.symbol);
    this.historyRead = true;
  }

  async readHistory(symbol: string): Promise<void> {
    const [orders, trades] = await Promise.all([
      this.rest.allOrders(symbol),
      this.rest.myTrades(symbol),
    ]);
    this.takeOrders(orders.map(orderFromWire));
    this.#takeFills(trades.map(fillFromWire));
  }

  async readRates(symbol: string): Promise<void> {
    if (this.signIn !== 'in') return;
    try {
      const { standardCommission } = await this.rest.commission(symbol);
      this.makerRate = fromWire(standardCommission.maker);
      this.takerRate = fromWire(standardCommission.taker);
    } catch (fault) {
      // A house without this route: the rates of the account stand.
      if (!(fault instanceof Refusal)) throw fault;
    }
  }

  leave(): void {
    this.signIn = 'out';
    this.balances = [];
    this.orders = [];
    this.fills = [];
    this.historyRead = false;
  }

  takeReport(report: ExecutionReport): Order {
    const order = orderFromReport(report);
    this.takeOrders([order]);
    const fill = fillFromReport(report);
    if (fill) this.#takeFills([fill]);
    return order;
  }

  takePosition(position: AccountPosition): void {
    const changed = new Map(
      position.B.map(({ a, f, l }) => [a, { asset: a, free: fromWire(f), held: fromWire(l) }]),
    );
    const kept = this.balances.map((one) => {
      const next = changed.get(one.asset);
      changed.delete(one.asset);
      return next ?? one;
    });
    this.balances = [...kept, ...changed.values()];
  }

  takeOrders(orders: readonly Order[]): void {
    const byKey = new Map(this.orders.map((order) => [order.key, order]));
    for (const order of orders) {
      if (isNewer(order, byKey.get(order.key))) byKey.set(order.key, order);
    }
    this.#keep([...byKey.values()]);
  }

  /** What was open before the question and is not in the answer is no longer open. */
  #replaceOpen(open: readonly Order[], before: ReadonlySet<string>): void {
    const now = new Set(open.map((order) => order.key));
    this.orders = this.orders.filter(
      (order) => !isOpen(order) || now.has(order.key) || !before.has(order.key),
    );
    this.takeOrders(open);
  }

  #keep(orders: Order[]): void {
    orders.sort((left, right) => right.time - left.time || right.orderId - left.orderId);
    this.orders = orders.filter((order, index) => index < ROWS_MAX || isOpen(order));
  }

  #takeFills(fills: readonly Fill[]): void {
    const byKey = new Map(this.fills.map((fill) => [fill.key, fill]));
    for (const fill of fills) byKey.set(fill.key, fill);
    this.fills = [...byKey.values()]
      .sort((left, right) => right.time - left.time || (left.key < right.key ? 1 : -1))
      .slice(0, ROWS_MAX);
  }

  #takeBalances(account: WireAccount): void {
    this.balances = account.balances.map(({ asset, free, locked }) => ({
      asset,
      free: fromWire(free),
      held: fromWire(locked),
    }));
    const rates = account.commissionRates;
    this.makerRate = parseDecimal(rates?.maker ?? '') ?? basisPoints(account.makerCommission);
    this.takerRate = parseDecimal(rates?.taker ?? '') ?? basisPoints(account.takerCommission);
  }
}

function basisPoints(points: number | undefined): Decimal {
  return BigInt(Math.round(points ?? 0)) * 10_000n;
}
