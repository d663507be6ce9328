/**
 * The terminal's one state: what the views read and the few things that they may ask for.
 *
 * Promises: what is shown comes from one instrument at a time (answers for one left behind are
 * dropped); bursts of events become one change a frame; after every reconnect everything is read
 * again before it counts as live.
 */
import { Account } from './account.svelte.ts';
import type { Level } from './book.ts';
import { BookSync } from './book_sync.ts';
import {
  type Candle,
  type Interval,
  candleFromEvent,
  candleFromKline,
  candleFromQuotes,
  withCandle,
  withOlder,
  withQuote,
} from './candles.ts';
import { Connection, type Liveness, type Wrapped } from './connection.ts';
import { type Decimal, ZERO, approximate, fromWire } from './decimal.ts';
import { type Instrument, instrumentFromMarket, instrumentFromWire } from './instrument.ts';
import { type PoolEvent, type QuoteEvent, type WireMarket, native } from './native.ts';
import { Notices } from './notices.svelte.ts';
import { Desk } from './desk.svelte.ts';
import { Outside } from './outside.svelte.ts';
import { Signals } from './signals.svelte.ts';
import { isOutside } from './outside_orders.ts';
import { type Preferences, type Theme, readPreferences, writePreferences } from './preferences.ts';
import { NoAnswer, Refusal, rest } from './rest.ts';
import type {
  BookTickerEvent,
  DepthEvent,
  KlineEvent,
  MarketEvent,
  MiniTickerEvent,
  TradeEvent,
  UserEvent,
} from './wire.ts';

const TAPE_MAX = 80;
const KEEP_LISTENING_MS = 25 * 60_000;
const TICKERS_MS = 30_000;
const HOUSE_STATE_MS = 5_000;
const RETRY_MS = 1_500;

export interface Trade {
  readonly id: number;
  readonly price: Decimal;
  readonly quantity: Decimal;
  readonly time: number;
  /** True when the seller took: the price was hit, not lifted. */
  readonly sold: boolean;
}

export interface Day {
  readonly open: Decimal;
  readonly last: Decimal;
  readonly high: Decimal;
  readonly low: Decimal;
  readonly volume: Decimal;
  readonly quoteVolume: Decimal;
}

export interface Best {
  readonly bid: Decimal;
  readonly ask: Decimal;
}

interface Fresh {
  trades: Trade[];
  candle: Candle | null;
  days: Record<string, Day>;
  best: Best | null;
  book: boolean;
}

/** What arrived since the last frame. */
function nothingFresh(): Fresh {
  return { trades: [], candle: null, days: {}, best: null, book: false };
}

export class Terminal {
  readonly account = new Account(rest);
  readonly notices = new Notices();
  readonly desk = new Desk(
    this.account,
    this.notices,
    () => this.instruments,
    () => this.#refreshUnheard(),
  );
  readonly signals = new Signals();
  readonly outside = new Outside(native, this.account, this.notices);

  instruments = $state.raw<readonly Instrument[]>([]);
  instrument = $state.raw<Instrument | null>(null);
  days = $state.raw<Readonly<Record<string, Day>>>({});
  /** The last known price of dealer and agency markets. */
  marks = $state.raw<Readonly<Record<string, Decimal>>>({});
  bids = $state.raw<readonly Level[]>([]);
  asks = $state.raw<readonly Level[]>([]);
  best = $state.raw<Best | null>(null);
  booked = $state(false);
  /** How often a gap made the book be read anew. */
  resyncs = $state(0);
  trades = $state.raw<readonly Trade[]>([]);
  candles = $state.raw<readonly Candle[]>([]);
  candlesRead = $state(false);
  interval = $state<Interval>('1m');
  indicators = $state.raw<readonly string[]>([]);
  theme = $state<Theme>('system');
  liveness = $state<Liveness>('connecting');
  /** When the house was last heard, frozen while not live (page clock, ms). */
  heardAt = $state(0);
  maintenance = $state(false);
  /** A price picked on the ladder or the chart; a fresh object for every pick. */
  picked = $state.raw<{ price: Decimal } | null>(null);
  /** Set when the first reading failed: what was said. */
  trouble = $state('');

  readonly day = $derived(this.instrument ? this.days[this.instrument.symbol] : undefined);
  readonly kind = $derived(this.instrument?.kind ?? 'book');
  readonly last = $derived(
    this.kind === 'book'
      ? (this.trades[0]?.price ?? this.day?.last ?? null)
      : this.kind === 'dealer'
        ? (this.outside.quote?.price ?? null)
        : this.outside.reference,
  );
  /** My open orders on the market on show. */
  readonly openHere = $derived(
    this.kind === 'book'
      ? this.account.open.filter((order) => order.symbol === this.instrument?.symbol)
      : this.outside.waiting,
  );
  readonly live = $derived(this.liveness === 'live' && this.booked);

  readonly #connection: Connection;
  readonly #sync: BookSync;
  readonly #storage: Storage | null;
  #preferences: Preferences;
  #generation = 0;
  #listenKey = '';
  #fresh = nothingFresh();
  #frame = 0;
  #older = false;

  constructor(storage: Storage | null = window.localStorage) {
    this.#storage = storage;
    this.#preferences = readPreferences(storage ?? { getItem: () => null });
    // A link from a page of the house may name the instrument.
    const named = new URLSearchParams(location.search).get('symbol');
    if (named) this.#preferences = { ...this.#preferences, symbol: named };
    this.interval = this.#preferences.interval;
    this.indicators = this.#preferences.indicators;
    this.setTheme(this.#preferences.theme);
    this.#sync = new BookSync(
      () => rest.depth(this.instrument?.symbol ?? ''),
      () => {
        this.#fresh.book = true;
        this.#schedule();
      },
    );
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#connection = new Connection(`${scheme}//${location.host}/stream`, {
      event: (wrapped) => this.#receive(wrapped),
      opened: () => void this.#opened(),
      liveness: (liveness) => this.#said(liveness),
    });
  }

  start(): void {
    this.#connection.start();
    setInterval(() => {
      if (this.#listenKey) void rest.keepListening(this.#listenKey).catch(() => this.#listen());
    }, KEEP_LISTENING_MS);
    setInterval(() => {
      if (this.liveness === 'live' && !document.hidden) {
        void this.#readDays().catch(() => undefined);
        void this.#readInstruments().catch(() => undefined);
      }
    }, TICKERS_MS);
    setInterval(() => {
      if (this.liveness === 'live' && !document.hidden)
        void this.#readHouseState().catch(() => undefined);
    }, HOUSE_STATE_MS);
  }

  // ---- Choices

  setTheme(theme: Theme): void {
    this.theme = theme;
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    this.#remember({ theme });
  }

  setIndicators(names: readonly string[]): void {
    this.indicators = names;
    this.#remember({ indicators: [...names] });
  }

  async setInterval(interval: Interval): Promise<void> {
    if (interval === this.interval) return;
    const symbol = this.kind === 'book' ? this.instrument?.symbol.toLowerCase() : undefined;
    if (symbol) this.#connection.unsubscribe([`${symbol}@kline_${this.interval}`]);
    this.interval = interval;
    this.#remember({ interval });
    if (symbol) this.#connection.subscribe([`${symbol}@kline_${interval}`]);
    await this.#guarded(() => this.#readCandles());
  }

  async choose(symbol: string): Promise<void> {
    const next = this.instruments.find((one) => one.symbol === symbol);
    if (!next || next === this.instrument) return;
    if (this.instrument) this.#connection.unsubscribe(this.#streams(this.instrument));
    this.#generation += 1;
    this.instrument = next;
    this.#remember({ symbol });
    this.bids = [];
    this.asks = [];
    this.best = null;
    this.booked = false;
    this.trades = [];
    this.candles = [];
    this.candlesRead = false;
    this.picked = null;
    this.outside.choose(next.kind === 'book' ? null : next);
    this.signals.choose(next.symbol);
    this.#fresh = { ...nothingFresh(), days: this.#fresh.days };
    this.#connection.subscribe(this.#streams(next));
    await this.#guarded(() => this.#readMarket());
  }

  pick(price: Decimal): void {
    this.picked = { price };
  }

  // ---- Reading

  async #opened(): Promise<void> {
    this.booked = false;
    await this.#guarded(async () => {
      await this.#readInstruments();
      await this.#readHouseState();
      await Promise.all([this.#readMarket(), this.#readDays(), this.#readAccount()]);
      await this.desk.resolve();
    });
  }

  /** Runs a reading; when the house refuses or is silent, says so and tries again while open. */
  async #guarded(read: () => Promise<void>): Promise<void> {
    const generation = this.#generation;
    try {
      await read();
      this.trouble = '';
    } catch (fault) {
      if (!(fault instanceof Refusal) && !(fault instanceof NoAnswer)) throw fault;
      this.trouble = fault.message;
      setTimeout(() => {
        if (generation === this.#generation && this.#connection.open) void this.#guarded(read);
      }, RETRY_MS);
    }
  }

  async #readInstruments(): Promise<void> {
    const [exchange, markets] = await Promise.all([rest.exchangeInfo(), native.markets()]);
    const outside = markets.filter((one) => one.market !== 'book');
    this.#takeMarks(outside);
    const bands = new Map(markets.map((one) => [one.symbol, one.stop_band]));
    this.instruments = [
      ...exchange.symbols.map((one) => instrumentFromWire(one, bands.get(one.symbol))),
      ...outside.map(instrumentFromMarket),
    ];
    this.#connection.subscribe(
      exchange.symbols.map((one) => `${one.symbol.toLowerCase()}@miniTicker`),
    );
    const known = this.instruments.find(
      (one) => one.symbol === (this.instrument?.symbol ?? this.#preferences.symbol),
    );
    this.instrument = known ?? this.instruments[0] ?? null;
    this.outside.choose(this.kind === 'book' ? null : this.instrument);
    this.signals.choose(this.instrument?.symbol ?? '');
    if (this.instrument) this.#connection.subscribe(this.#streams(this.instrument));
  }

  /** When maintenance begins or ends, what may be traded is read again. */
  async #readHouseState(): Promise<void> {
    const maintenance = (await rest.houseState()).status === 1;
    if (maintenance === this.maintenance) return;
    this.maintenance = maintenance;
    await this.#readInstruments();
  }

  #streams(instrument: Instrument): string[] {
    const symbol = instrument.symbol.toLowerCase();
    if (instrument.kind === 'dealer') return [`${symbol}@quote`];
    if (instrument.kind === 'agency') return [`${symbol}@pool`];
    return ['depth@100ms', 'trade', 'bookTicker', 'signal', `kline_${this.interval}`].map(
      (stream) => `${symbol}@${stream}`,
    );
  }

  async #readMarket(): Promise<void> {
    if (!this.instrument) return;
    if (this.kind !== 'book') {
      await this.#readOutside();
      return;
    }
    this.#sync.restart();
    const generation = this.#generation;
    const symbol = this.instrument.symbol;
    await Promise.all([
      this.#readCandles(),
      rest.trades(symbol).then((trades) => {
        if (generation !== this.#generation) return;
        const read = trades.map((one) => ({
          id: one.id,
          price: fromWire(one.price),
          quantity: fromWire(one.qty),
          time: one.time,
          sold: one.isBuyerMaker,
        }));
        const newest = Math.max(-1, ...read.map((one) => one.id));
        const later = this.trades.filter((one) => one.id > newest);
        this.trades = [...later, ...read.reverse()].slice(0, TAPE_MAX);
      }),
      this.account.readRates(symbol),
    ]);
  }

  async #readOutside(): Promise<void> {
    const generation = this.#generation;
    await Promise.all([this.#readCandles(), this.outside.read()]);
    if (generation === this.#generation) this.booked = true;
  }

  #takeMarks(markets: readonly WireMarket[]): void {
    const marks: Record<string, Decimal> = {};
    for (const one of markets) {
      const price = one.price ?? one.reference_price;
      if (price) marks[one.symbol] = fromWire(price);
    }
    this.marks = marks;
  }

  async #readCandles(): Promise<void> {
    if (!this.instrument) return;
    const generation = this.#generation;
    const interval = this.interval;
    if (this.kind !== 'book') {
      await this.#readQuoteCandles(this.instrument, interval);
      return;
    }
    const klines = await rest.klines(this.instrument.symbol, interval);
    if (generation !== this.#generation || interval !== this.interval) return;
    this.#older = klines.length > 0;
    this.candles = klines.map(candleFromKline);
    this.candlesRead = true;
  }

  /** An agency market has a reference price and no history of it. */
  async #readQuoteCandles(instrument: Instrument, interval: Interval): Promise<void> {
    const read =
      instrument.kind === 'dealer' ? await native.candles(instrument.symbol, interval) : [];
    if (instrument.symbol !== this.instrument?.symbol || interval !== this.interval) return;
    this.candles = read.map(candleFromQuotes);
    this.candlesRead = true;
  }

  /** More history to the left of the chart; quiet when there is none. */
  async readOlderCandles(): Promise<void> {
    const first = this.candles[0];
    if (!first || !this.instrument || !this.#older || this.kind !== 'book') return;
    this.#older = false;
    const generation = this.#generation;
    const interval = this.interval;
    const klines = await rest
      .klines(this.instrument.symbol, interval, first.time - 1)
      .catch(() => null);
    if (generation !== this.#generation || interval !== this.interval) return;
    if (klines === null) {
      this.#older = true;
      return;
    }
    const before = this.candles.length;
    this.candles = withOlder(this.candles, klines.map(candleFromKline));
    this.#older = this.candles.length > before;
  }

  async #readDays(): Promise<void> {
    const tickers = await rest.tickers();
    const days: Record<string, Day> = {};
    for (const one of tickers) {
      days[one.symbol] = {
        open: fromWire(one.openPrice),
        last: fromWire(one.lastPrice),
        high: fromWire(one.highPrice),
        low: fromWire(one.lowPrice),
        volume: fromWire(one.volume),
        quoteVolume: fromWire(one.quoteVolume),
      };
    }
    this.days = days;
  }

  async #readAccount(): Promise<void> {
    await this.#listen();
    await this.account.refresh(this.#books(), this.kind === 'book' ? this.instrument : null);
    if (this.instrument && this.kind === 'book')
      await this.account.readRates(this.instrument.symbol);
  }

  /** Without a user stream nothing else would tell what an order changed. */
  #refreshUnheard(): void {
    if (!this.#listenKey)
      void this.account.refresh(this.#books(), this.instrument).catch(() => undefined);
  }

  #books(): readonly Instrument[] {
    return this.instruments.filter((one) => one.kind === 'book');
  }

  async #listen(): Promise<void> {
    try {
      const { listenKey } = await rest.listen();
      if (listenKey !== this.#listenKey) {
        if (this.#listenKey) this.#connection.unsubscribe([this.#listenKey]);
        this.#listenKey = listenKey;
      }
      this.#connection.subscribe([listenKey]);
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      this.#listenKey = '';
    }
  }

  // ---- Events

  #said(liveness: Liveness): void {
    if (liveness !== 'live') this.heardAt = this.#connection.lastHeard;
    if (liveness === 'reconnecting') this.booked = false;
    this.liveness = liveness;
  }

  #receive({ stream, data }: Wrapped): void {
    if (stream === this.#listenKey || isUserEvent(data)) this.#receiveUser(data as UserEvent);
    else this.#receiveMarket(data as MarketEvent);
  }

  #receiveUser(event: UserEvent): void {
    if (event.e === 'executionReport' && isOutside(event))
      this.outside.takeReport(event, this.instruments);
    else if (event.e === 'executionReport') this.desk.tell(this.account.takeReport(event));
    else if (event.e === 'venueOrder') this.outside.takeVenueOrder(event);
    else if (event.e === 'outboundAccountPosition') this.account.takePosition(event);
    else if (event.e === 'listenKeyExpired') void this.#guarded(() => this.#readAccount());
  }

  #receiveMarket(event: MarketEvent): void {
    const here = event.s === this.instrument?.symbol;
    if (!('e' in event)) {
      if (here) this.#takeBest(event);
      return;
    }
    if (event.e === '24hrMiniTicker') this.#takeDay(event);
    else if (!here) return;
    else if (event.e === 'depthUpdate') this.#sync.push(event satisfies DepthEvent);
    else if (event.e === 'trade') this.#takeTrade(event);
    else if (event.e === 'kline') this.#takeKline(event);
    else if (event.e === 'quote' || event.e === 'pool') this.#takeOutside(event);
    else this.signals.take(event);
  }

  #takeOutside(event: QuoteEvent | PoolEvent): void {
    const before = this.outside.quotes[0];
    this.outside.takeEvent(event);
    const quote = this.outside.quotes[0];
    if (event.e !== 'quote' || !quote || quote === before || !this.candlesRead) return;
    this.candles = withQuote(this.candles, this.interval, quote.time, approximate(quote.price));
  }

  #takeBest(event: BookTickerEvent): void {
    this.#fresh.best = { bid: fromWire(event.b), ask: fromWire(event.a) };
    this.#schedule();
  }

  #takeDay(event: MiniTickerEvent): void {
    this.#fresh.days[event.s] = {
      open: fromWire(event.o),
      last: fromWire(event.c),
      high: fromWire(event.h),
      low: fromWire(event.l),
      volume: fromWire(event.v),
      quoteVolume: fromWire(event.q),
    };
    this.#schedule();
  }

  #takeTrade(event: TradeEvent): void {
    this.#fresh.trades.push({
      id: event.t,
      price: fromWire(event.p),
      quantity: fromWire(event.q),
      time: event.T,
      sold: event.m,
    });
    this.#schedule();
  }

  #takeKline(event: KlineEvent): void {
    if (event.k.i !== this.interval || !this.candlesRead) return;
    const candle = candleFromEvent(event);
    const waiting = this.#fresh.candle;
    if (waiting && waiting.time !== candle.time) this.candles = withCandle(this.candles, waiting);
    this.#fresh.candle = candle;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#frame !== 0) return;
    // A hidden page gets no frames; a timer keeps its book and title true.
    this.#frame = document.hidden
      ? window.setTimeout(() => this.#flush(), 250)
      : requestAnimationFrame(() => this.#flush());
  }

  #flush(): void {
    this.#frame = 0;
    const { trades, candle, days, best, book } = this.#fresh;
    this.#fresh = nothingFresh();
    if (trades.length > 0) {
      const newest = this.trades[0]?.id ?? -1;
      const later = trades.filter((one) => one.id > newest).reverse();
      this.trades = [...later, ...this.trades].slice(0, TAPE_MAX);
    }
    if (candle) this.candles = withCandle(this.candles, candle);
    if (Object.keys(days).length > 0) this.days = { ...this.days, ...days };
    if (book && this.kind === 'book') {
      this.bids = this.#sync.book.bids();
      this.asks = this.#sync.book.asks();
      this.booked = this.#sync.synced;
      this.resyncs = this.#sync.resyncs;
    }
    if (best) this.best = best;
    else if (book) {
      this.best = { bid: this.bids[0]?.price ?? ZERO, ask: this.asks[0]?.price ?? ZERO };
    }
  }

  #remember(part: Partial<Preferences>): void {
    this.#preferences = { ...this.#preferences, ...part };
    if (this.#storage) writePreferences(this.#storage, this.#preferences);
  }
}

function isUserEvent(value: unknown): boolean {
  const name = (value as { e?: unknown }).e;
  return (
    name === 'executionReport' ||
    name === 'outboundAccountPosition' ||
    name === 'listenKeyExpired' ||
    name === 'listStatus' ||
    name === 'venueOrder'
  );
}
