/**
 * The dealer or agency market on show: its quote or pools, and the person's orders there.
 *
 * Promises: fed by REST when the page (re)connects or another market is chosen, by the streams in
 * between; why an order waits is read again when the price has moved, at most once a second. An
 * order whose answer was lost is sent again with the same client order id, which the house answers
 * as it did the first time.
 */
import type { Account } from './account.svelte.ts';
import { type Decimal, ZERO, fromWire } from './decimal.ts';
import { newClientOrderId, tellRefusal } from './desk.svelte.ts';
import type { Instrument } from './instrument.ts';
import {
  type Native,
  type OutsideWish,
  type PoolEvent,
  type QuoteEvent,
  type VenueOrderEvent,
  type WirePool,
  type WireQuote,
} from './native.ts';
import type { Notices } from './notices.svelte.ts';
import { isNewer, isOpen } from './orders.ts';
import {
  type OutsideOrder,
  joined,
  outsideFromReport,
  outsideFromWire,
  outsideNews,
  stateText,
} from './outside_orders.ts';
import { NoAnswer, Refusal } from './rest.ts';
import type { ExecutionReport } from './wire.ts';

const QUOTES_MAX = 60;
const ORDERS_READ_EVERY_MS = 1_000;
const RETRY_MS = 1_500;
const TRIES_MAX = 4;
const NEWS_WAIT_MS = 150;

export interface Quote {
  readonly price: Decimal;
  readonly availability: Decimal;
  /** The message's own time, ms. */
  readonly time: number;
}

export interface Pool {
  readonly orders: number;
  readonly quantity: Decimal;
  readonly worth: Decimal;
  readonly minimum: Decimal;
  /** When it is flushed or given back, ms; null: it waits for ever, or nobody waits. */
  readonly deadline: number | null;
}

export interface Pools {
  readonly BUY: Pool;
  readonly SELL: Pool;
}

function quoteFromWire(wire: WireQuote): Quote | null {
  if (wire.price === null || wire.availability === null || wire.time === null) return null;
  return {
    price: fromWire(wire.price),
    availability: fromWire(wire.availability),
    time: Date.parse(wire.time),
  };
}

function poolFromWire(wire: WirePool): Pool {
  return {
    orders: wire.orders,
    quantity: fromWire(wire.quantity),
    worth: fromWire(wire.notional),
    minimum: fromWire(wire.min_notional),
    deadline: wire.deadline === null ? null : Date.parse(wire.deadline),
  };
}

export class Outside {
  quote = $state.raw<Quote | null>(null);
  /** Messages seen since the market was chosen, newest first. */
  quotes = $state.raw<readonly Quote[]>([]);
  reference = $state.raw<Decimal | null>(null);
  pools = $state.raw<Pools | null>(null);
  orders = $state.raw<readonly OutsideOrder[]>([]);
  ordersRead = $state(false);
  sending = $state(false);
  /** What the house said of single fields of the last ticket. */
  refused = $state.raw<Readonly<Record<string, string>>>({});
  /** The house's clock less the page's, ms. */
  clock = $state(0);

  readonly waiting = $derived(this.orders.filter(isOpen));
  readonly done = $derived(this.orders.filter((order) => !isOpen(order)));

  #instrument: Instrument | null = null;
  #reading: ReturnType<typeof setTimeout> | undefined;
  #news = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(
    private readonly native: Native,
    private readonly account: Account,
    private readonly notices: Notices,
  ) {}

  /** Begin with another market, or with none. */
  choose(instrument: Instrument | null): void {
    if (instrument?.symbol === this.#instrument?.symbol) {
      this.#instrument = instrument;
      return;
    }
    this.#instrument = instrument;
    this.quote = null;
    this.quotes = [];
    this.reference = null;
    this.pools = null;
    this.orders = [];
    this.ordersRead = false;
    this.refused = {};
    clearTimeout(this.#reading);
    this.#reading = undefined;
  }

  /** Read what the market is now, and my orders there. */
  async read(): Promise<void> {
    const instrument = this.#instrument;
    if (!instrument) return;
    const wire = await this.native.market(instrument.symbol);
    if (instrument.symbol !== this.#instrument?.symbol) return;
    if (instrument.kind === 'dealer') {
      this.#takeQuote(
        quoteFromWire({
          price: wire.price ?? null,
          availability: wire.availability ?? null,
          time: wire.time ?? null,
        }),
      );
    } else if (wire.pools) {
      this.#takePools(wire.reference_price ?? null, wire.pools);
    }
    await this.readOrders();
  }

  async readOrders(): Promise<void> {
    const instrument = this.#instrument;
    if (!instrument || this.account.signIn === 'out') return;
    const before = new Set(this.waiting.map((order) => order.key));
    try {
      const wires = await this.native.orders(instrument.symbol);
      if (instrument.symbol !== this.#instrument?.symbol) return;
      const read = wires
        .filter((wire) => wire.symbol === instrument.symbol)
        .map((wire) => outsideFromWire(wire, instrument.kind));
      const now = new Set(read.map((order) => order.key));
      this.orders = this.orders.filter(
        (order) => !isOpen(order) || now.has(order.key) || !before.has(order.key),
      );
      this.#takeOrders(read);
      this.ordersRead = true;
    } catch (fault) {
      if (!(fault instanceof Refusal) || !fault.signedOut) throw fault;
      this.ordersRead = true;
    }
  }

  /** Read the orders again soon; many calls within a second are one. */
  #readSoon(): void {
    if (this.#reading !== undefined) return;
    this.#reading = setTimeout(() => {
      this.#reading = undefined;
      void this.readOrders().catch(() => undefined);
    }, ORDERS_READ_EVERY_MS);
  }

  // ---- Orders

  async place(wish: Omit<OutsideWish, 'client_order_id'>): Promise<boolean> {
    const whole = { ...wish, client_order_id: newClientOrderId() };
    this.sending = true;
    this.refused = {};
    try {
      await this.#send(whole);
      await this.readOrders().catch(() => this.#readSoon());
      return true;
    } catch (fault) {
      if (fault instanceof Refusal && Object.keys(fault.fields).length > 0) {
        this.refused = fault.fields;
      } else {
        tellRefusal(fault, 'Order refused', this.account, this.notices);
      }
      return false;
    } finally {
      this.sending = false;
    }
  }

  async #send(wish: OutsideWish): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.native.place(wish);
        return;
      } catch (fault) {
        if (!(fault instanceof NoAnswer) || attempt === TRIES_MAX) throw fault;
        this.notices.say(
          'wait',
          'No answer yet',
          'Asking the house again; do not send the order a second time.',
          wish.client_order_id,
        );
        await new Promise((done) => setTimeout(done, RETRY_MS));
      }
    }
  }

  async cancel(order: OutsideOrder): Promise<void> {
    try {
      await this.native.cancel(order.orderId);
    } catch (fault) {
      tellRefusal(fault, 'Not cancelled', this.account, this.notices);
    }
    await this.readOrders().catch(() => this.#readSoon());
  }

  #takeOrders(orders: readonly OutsideOrder[]): void {
    const byKey = new Map(this.orders.map((order) => [order.key, order]));
    for (const order of orders) {
      const known = byKey.get(order.key);
      if (isNewer(order, known)) byKey.set(order.key, joined(order, known));
    }
    this.orders = [...byKey.values()].sort((left, right) => right.orderId - left.orderId);
  }

  // ---- Events

  takeReport(report: ExecutionReport, instruments: readonly Instrument[]): void {
    const order = outsideFromReport(report);
    if (order.symbol === this.#instrument?.symbol) {
      this.#takeOrders([order]);
      this.#readSoon();
    }
    const instrument = instruments.find((one) => one.symbol === order.symbol);
    if (instrument) this.#tell(order, instrument);
  }

  /** One notice for a burst of reports about an order. */
  #tell(order: OutsideOrder, instrument: Instrument): void {
    clearTimeout(this.#news.get(order.key));
    this.#news.set(
      order.key,
      setTimeout(() => {
        this.#news.delete(order.key);
        const now = this.orders.find((one) => one.key === order.key) ?? order;
        const gain = now.filled > ZERO && now.status !== 'CANCELED';
        const tone = gain ? (now.side === 'BUY' ? 'buy' : 'sell') : 'plain';
        this.notices.say(tone, stateText(now), outsideNews(now, instrument), now.key);
      }, NEWS_WAIT_MS),
    );
  }

  takeVenueOrder(event: VenueOrderEvent): void {
    if (event.s !== this.#instrument?.symbol) return;
    const parts = new Set(event.orders);
    this.orders = this.orders.map((order) =>
      parts.has(order.orderId)
        ? { ...order, wait: isOpen(order) ? 'VENUE' : '', venue: event.status }
        : order,
    );
    this.#readSoon();
  }

  takeEvent(event: QuoteEvent | PoolEvent): void {
    this.clock = event.E - Date.now();
    if (event.e === 'pool') {
      this.#takePools(event.reference_price, event.pools);
      return;
    }
    const moved = event.price !== null && fromWire(event.price) !== this.quote?.price;
    this.#takeQuote(quoteFromWire(event));
    if (moved && this.waiting.length > 0) this.#readSoon();
  }

  #takeQuote(quote: Quote | null): void {
    const known = this.quote;
    this.quote = quote;
    if (quote === null || (known && quote.time < known.time)) return;
    const same = known?.time === quote.time && known.price === quote.price;
    if (same && known.availability === quote.availability) return;
    this.quotes = [quote, ...this.quotes].slice(0, QUOTES_MAX);
  }

  #takePools(reference: string | null, pools: { buy: WirePool; sell: WirePool }): void {
    this.reference = reference === null ? null : fromWire(reference);
    this.pools = { BUY: poolFromWire(pools.buy), SELL: poolFromWire(pools.sell) };
  }
}
