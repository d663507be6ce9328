/**
 * What an order ticket means, before it is sent: exact amounts, cost, fee, and everything that
 * the house would refuse, each with what would be right.
 *
 * Pure: the same ticket and market give the same answer. The house has the last word; this only
 * saves the journey.
 */
import { type Level, walkBudget, walkQuantity } from './book.ts';
import {
  type Decimal,
  ONE,
  ZERO,
  ceilTo,
  divideFloor,
  floorTo,
  formatDecimal,
  formatFixed,
  formatGrouped,
  multiplyFloor,
  parseDecimal,
  smaller,
} from './decimal.ts';
import type { Instrument } from './instrument.ts';
import type { OrderWish, PairWish } from './rest.ts';
import { type StopType, isPriced, isReached, isStop, reachedText } from './stops.ts';
import type { Side } from './wire.ts';

export type TicketType = 'LIMIT' | 'MARKET' | 'LIMIT_MAKER' | StopType;
export type TimeInForce = 'GTC' | 'IOC' | 'FOK';

/** What is sent: an order, or the two of a pair. */
export type Wish = Omit<OrderWish, 'newClientOrderId'> | PairWish;

export function isPair(wish: Wish): wish is PairWish {
  return !('type' in wish);
}

export interface Ticket {
  readonly side: Side;
  readonly type: TicketType;
  readonly timeInForce: TimeInForce;
  readonly price: string;
  /** The price that sets a stop going; of other types nothing. */
  readonly stop: string;
  /** A stop loss beside a limit order for profit: what fills or fires first ends the other. */
  readonly pair: boolean;
  /** The price of that limit order. */
  readonly profit: string;
  readonly amount: string;
  /** What the amount field counts: base quantity, or the total in quote. */
  readonly amountIn: 'base' | 'quote';
}

export interface Market {
  readonly instrument: Instrument;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
  /** The price of the last trade; null before there was one. */
  readonly last: Decimal | null;
  /** Free balances; null when nobody is signed in. */
  readonly free: { readonly base: Decimal; readonly quote: Decimal } | null;
  readonly makerRate: Decimal;
  readonly takerRate: Decimal;
}

export interface Problem {
  readonly field: 'price' | 'stop' | 'profit' | 'amount' | 'form';
  readonly text: string;
  /** Values that would be right for the field, nearest first. */
  readonly fixes: readonly string[];
  /** An empty field is not shouted at; the ticket just cannot be sent yet. */
  readonly quiet?: boolean;
  /** The two prices of a pair are each on the other's side: changed about they would be right. */
  readonly swap?: boolean;
}

export interface Estimate {
  readonly problems: readonly Problem[];
  readonly quantity: Decimal | null;
  /** Quote paid (buy) or received (sell), before the fee. */
  readonly total: Decimal | null;
  /** What the order takes out of what is available: quote of a buy, base of a sale. */
  readonly held: Decimal | null;
  readonly averagePrice: Decimal | null;
  readonly fee: Decimal | null;
  readonly feeAsset: string;
  readonly feeRate: Decimal;
  readonly role: 'maker' | 'taker' | 'both';
  /** The price the book ends at, for a warning about slippage; null when nothing is taken. */
  readonly worstPrice: Decimal | null;
  /** Of a pair: the total if it ends at its profit; by its stop it is `total`. Else null. */
  readonly profitTotal: Decimal | null;
  readonly wish: Wish | null;
}

interface Draft {
  profit: Decimal | null;
  problems: Problem[];
  price: Decimal | null;
  stop: Decimal | null;
  quantity: Decimal | null;
  budget: Decimal | null;
}

export function evaluate(ticket: Ticket, market: Market): Estimate {
  const draft: Draft = {
    problems: [],
    profit: null,
    price: null,
    stop: null,
    quantity: null,
    budget: null,
  };
  if (market.instrument.status !== 'TRADING') {
    draft.problems.push({
      field: 'form',
      text: `${market.instrument.symbol} is not trading now (${market.instrument.status}).`,
      fixes: [],
    });
  }
  if (ticket.pair) readProfit(ticket, market, draft);
  if (isStop(ticket.type)) readStop(ticket, ticket.type, market, draft);
  if (ticket.pair) tellSwapped(ticket, market, draft);
  if (isPriced(ticket.type)) readPrice(ticket, market.instrument, draft);
  readAmount(ticket, market.instrument, draft);
  const outcome = isStop(ticket.type)
    ? waitFor(draft)
    : ticket.type === 'MARKET'
      ? fillNow(ticket, market, draft)
      : rest(ticket, market, draft);
  checkNotional(ticket, market.instrument, outcome.total, draft);
  const held = heldBy(ticket, market.instrument, outcome, draft);
  checkFunds(ticket, market, held, draft);
  const rate = outcome.role === 'maker' ? market.makerRate : market.takerRate;
  const received = ticket.side === 'BUY' ? outcome.quantity : outcome.total;
  return {
    problems: draft.problems,
    quantity: outcome.quantity,
    total: outcome.total,
    held,
    averagePrice:
      outcome.quantity && outcome.total ? divideFloor(outcome.total, outcome.quantity) : null,
    fee: received === null ? null : multiplyFloor(received, rate),
    feeAsset: ticket.side === 'BUY' ? market.instrument.base : market.instrument.quote,
    feeRate: rate,
    role: outcome.role,
    worstPrice: outcome.worst,
    profitTotal:
      draft.profit !== null && draft.quantity !== null
        ? multiplyFloor(draft.profit, draft.quantity)
        : null,
    wish: draft.problems.length > 0 ? null : wishOf(ticket, market.instrument, draft),
  };
}

interface Outcome {
  quantity: Decimal | null;
  total: Decimal | null;
  worst: Decimal | null;
  role: 'maker' | 'taker' | 'both';
}

function readPrice(ticket: Ticket, instrument: Instrument, draft: Draft): void {
  if (ticket.price.trim() === '') {
    draft.problems.push({ field: 'price', text: 'Enter a price.', fixes: [], quiet: true });
    return;
  }
  draft.price = priceOf(ticket.price, instrument, (text, fixes = []) =>
    draft.problems.push({ field: 'price', text, fixes }),
  );
}

function readStop(ticket: Ticket, type: StopType, market: Market, draft: Draft): void {
  const fault = (text: string, fixes: string[] = [], quiet = false) =>
    draft.problems.push({ field: 'stop', text, fixes, quiet });
  if (ticket.stop.trim() === '') {
    fault('Enter the price that sets it going.', [], true);
    return;
  }
  const stop = priceOf(ticket.stop, market.instrument, fault);
  if (stop !== null && market.last !== null && isReached(ticket.side, type, stop, market.last)) {
    const last = formatFixed(market.last, market.instrument.pricePlaces);
    fault(reachedText(ticket.side, type, last));
    return;
  }
  draft.stop = stop;
}

/** The limit order of a pair waits in the book: it may not fill at once. */
function readProfit(ticket: Ticket, market: Market, draft: Draft): void {
  const { instrument } = market;
  const fault = (text: string, fixes: string[] = [], quiet = false) =>
    draft.problems.push({ field: 'profit', text, fixes, quiet });
  if (ticket.profit.trim() === '') {
    fault('Enter the price to take profit at.', [], true);
    return;
  }
  const profit = priceOf(ticket.profit, instrument, fault);
  const buying = ticket.side === 'BUY';
  const best = (buying ? market.asks : market.bids)[0]?.price ?? null;
  const beyond = (mark: Decimal | null) =>
    profit !== null && mark !== null && (buying ? profit >= mark : profit <= mark);
  const mark = beyond(best) ? best : beyond(market.last) ? market.last : null;
  if (mark === null) {
    draft.profit = profit;
    return;
  }
  const what = mark === best ? (buying ? 'best ask' : 'best bid') : 'last price';
  fault(
    `The ${what} is ${formatFixed(mark, instrument.pricePlaces)}: a pair that ` +
      `${buying ? 'buys takes profit below' : 'sells takes profit above'} it.`,
  );
}

/** Says once that the two prices of a pair are changed about, in place of two faults. */
function tellSwapped(ticket: Ticket, market: Market, draft: Draft): void {
  const { last, instrument } = market;
  const [stop, profit] = [parseDecimal(ticket.stop), parseDecimal(ticket.profit)];
  if (stop === null || profit === null || last === null) return;
  const [low, high] = ticket.side === 'SELL' ? [profit, stop] : [stop, profit];
  if (low === ZERO || low >= last || high <= last) return;
  const [above, below] = ticket.side === 'SELL' ? ['profit', 'stop'] : ['stop', 'profit'];
  const text =
    `The two prices are swapped: a pair that ${ticket.side === 'SELL' ? 'sells' : 'buys'} has its ` +
    `${above} above the last price, ${formatFixed(last, instrument.pricePlaces)}, ` +
    `and its ${below} below.`;
  draft.problems = draft.problems.filter(({ field }) => field !== 'stop' && field !== 'profit');
  draft.problems.push({ field: 'profit', text, fixes: [], swap: true });
}

/** The price that a quantity is measured by: its own, or the one that it waits for. */
function measure(draft: Draft): Decimal | null {
  return draft.price ?? draft.stop;
}

type Fault = (text: string, fixes?: string[]) => unknown;

/** The price that a text means on an instrument; null after telling the fault. */
export function priceOf(text: string, instrument: Instrument, fault: Fault): Decimal | null {
  const price = parseDecimal(text);
  if (price === null) {
    fault(notANumber(text));
    return null;
  }
  const { tickSize, priceMin, priceMax, pricePlaces } = instrument;
  const places = (value: Decimal) => formatFixed(value, pricePlaces);
  if (price === ZERO) {
    fault('The price must be more than 0.');
  } else if (tickSize > 0n && price % tickSize !== 0n) {
    const below = floorTo(price, tickSize);
    const above = below + tickSize;
    fault(
      `Tick size is ${formatDecimal(tickSize)}; the price was ${formatDecimal(price)}.`,
      below > 0n ? [places(below), places(above)] : [places(above)],
    );
  } else if (priceMin > 0n && price < priceMin) {
    fault(`The lowest price allowed is ${places(priceMin)}.`, [places(priceMin)]);
  } else if (priceMax > 0n && price > priceMax) {
    fault(`The highest price allowed is ${places(priceMax)}.`, [places(priceMax)]);
  } else {
    return price;
  }
  return null;
}

function readAmount(ticket: Ticket, instrument: Instrument, draft: Draft): void {
  const word = ticket.amountIn === 'base' ? 'quantity' : 'total';
  const fault = (text: string, fixes: string[] = []) =>
    draft.problems.push({ field: 'amount', text, fixes });
  if (ticket.amount.trim() === '') {
    draft.problems.push({ field: 'amount', text: `Enter a ${word}.`, fixes: [], quiet: true });
    return;
  }
  const amount = parseDecimal(ticket.amount);
  if (amount === null) {
    fault(notANumber(ticket.amount));
    return;
  }
  if (amount === ZERO) {
    fault(`The ${word} must be more than 0.`);
    return;
  }
  if (ticket.amountIn === 'quote' && ticket.type === 'MARKET') {
    draft.budget = amount;
    return;
  }
  if (ticket.amountIn === 'quote') {
    const price = measure(draft);
    if (price === null) return;
    const quantity = floorTo(divideFloor(amount, price), instrument.lotSize);
    const least = leastQuantity(instrument);
    if (quantity < least) {
      const cost = multiplyCeil(price, least);
      fault(
        `${formatDecimal(amount)} ${instrument.quote} buys less than one lot of ` +
          `${formatDecimal(least)} ${instrument.base} at this price.`,
        [formatDecimal(cost)],
      );
      return;
    }
    draft.quantity = fitQuantity(quantity, instrument, fault);
    return;
  }
  draft.quantity = fitQuantity(amount, instrument, fault);
}

/** The quantity that a text means on an instrument; null after telling the fault. */
export function quantityOf(text: string, instrument: Instrument, fault: Fault): Decimal | null {
  const quantity = parseDecimal(text);
  if (quantity === null) fault(notANumber(text));
  else if (quantity === ZERO) fault('The quantity must be more than 0.');
  else return fitQuantity(quantity, instrument, fault);
  return null;
}

function fitQuantity(quantity: Decimal, instrument: Instrument, fault: Fault): Decimal | null {
  const { lotSize, quantityMax, quantityPlaces } = instrument;
  const places = (value: Decimal) => formatFixed(value, quantityPlaces);
  const least = leastQuantity(instrument);
  if (lotSize > 0n && quantity % lotSize !== 0n) {
    const below = floorTo(quantity, lotSize);
    const above = below + lotSize;
    fault(
      `Lot size is ${formatDecimal(lotSize)}; the quantity was ${formatDecimal(quantity)}.`,
      below >= least ? [places(below), places(above)] : [places(above)],
    );
  } else if (quantity < least) {
    fault(`The smallest quantity is ${places(least)} ${instrument.base}.`, [places(least)]);
  } else if (quantityMax > 0n && quantity > quantityMax) {
    fault(`The largest quantity is ${places(quantityMax)} ${instrument.base}.`, [
      places(quantityMax),
    ]);
  } else {
    return quantity;
  }
  return null;
}

/** A market order: walked through the book as it is now. */
function fillNow(ticket: Ticket, market: Market, draft: Draft): Outcome {
  const levels = ticket.side === 'BUY' ? market.asks : market.bids;
  const none: Outcome = { quantity: null, total: null, worst: null, role: 'taker' };
  if (draft.quantity === null && draft.budget === null) return none;
  const walk =
    draft.budget === null
      ? walkQuantity(levels, draft.quantity ?? ZERO)
      : walkBudget(levels, draft.budget, market.instrument.lotSize);
  const { base, quote, quantityPlaces, quotePlaces } = market.instrument;
  const deep = formatFixed(walk.quantity, quantityPlaces);
  const worth = formatFixed(walk.notional, quotePlaces);
  if (walk.quantity === ZERO && levels.length === 0) {
    const other = ticket.side === 'BUY' ? 'offers' : 'bids';
    draft.problems.push({
      field: 'form',
      text: `There are no ${other} in the book now. A limit order can wait for one.`,
      fixes: [],
    });
  } else if (walk.quantity === ZERO) {
    draft.problems.push({
      field: 'amount',
      text: `That total is less than one lot of ${base}.`,
      fixes: [],
    });
  } else if (!walk.whole) {
    draft.problems.push({
      field: 'amount',
      text: `The visible book holds only ${deep} ${base} (${worth} ${quote}).`,
      fixes: draft.budget === null ? [deep] : [worth],
    });
  }
  return { quantity: walk.quantity, total: walk.notional, worst: walk.worst, role: 'taker' };
}

/** A limit order: what would fill at once, and what would rest. */
function rest(ticket: Ticket, market: Market, draft: Draft): Outcome {
  const { price, quantity } = draft;
  const none: Outcome = { quantity: null, total: null, worst: null, role: 'maker' };
  if (price === null || quantity === null) return none;
  const buying = ticket.side === 'BUY';
  const levels = buying ? market.asks : market.bids;
  const taken = walkQuantity(levels, quantity, (at) => (buying ? at <= price : at >= price));
  if (taken.quantity > 0n && ticket.type === 'LIMIT_MAKER') {
    const best = levels[0]?.price ?? price;
    const tick = market.instrument.tickSize;
    const places = (value: Decimal) => formatFixed(value, market.instrument.pricePlaces);
    const passive = buying ? best - tick : best + tick;
    draft.problems.push({
      field: 'price',
      text:
        'Post only: at this price the order would fill at once. ' +
        `${buying ? 'Best ask' : 'Best bid'} is ${places(best)}.`,
      fixes: passive > 0n ? [places(passive)] : [],
    });
    return { ...none, total: multiplyFloor(price, quantity), quantity };
  }
  if (ticket.timeInForce === 'FOK' && ticket.type === 'LIMIT' && !taken.whole) {
    draft.problems.push({
      field: 'form',
      text: 'Fill or kill: the book cannot fill this whole at this price now.',
      fixes: [],
    });
  }
  const resting = quantity - taken.quantity;
  return {
    quantity,
    total: taken.notional + multiplyFloor(price, resting),
    worst: taken.worst,
    role: taken.quantity === ZERO ? 'maker' : resting === ZERO ? 'taker' : 'both',
  };
}

/** A stop: nothing before it fires; then the taker's fee at most. */
function waitFor(draft: Draft): Outcome {
  const { quantity } = draft;
  const price = measure(draft);
  const total = price === null || quantity === null ? null : multiplyFloor(price, quantity);
  return { quantity, total, worst: null, role: 'taker' };
}

function checkNotional(
  ticket: Ticket,
  instrument: Instrument,
  total: Decimal | null,
  draft: Draft,
): void {
  // The house measures a limit order by its own price, not by what it may fill at.
  const own = measure(draft);
  const notional =
    own !== null && draft.quantity !== null ? multiplyFloor(own, draft.quantity) : total;
  if (notional === null || instrument.notionalMin === ZERO) return;
  if (notional >= instrument.notionalMin) return;
  if (draft.problems.some((one) => one.field === 'amount')) return;
  const price = own ?? (draft.quantity ? divideFloor(notional, draft.quantity) : ZERO);
  const fixes: string[] = [];
  if (ticket.amountIn === 'quote') {
    fixes.push(formatDecimal(instrument.notionalMin));
  } else if (price > 0n) {
    const needed = ceilTo(divideFloor(instrument.notionalMin, price) + 1n, instrument.lotSize);
    fixes.push(formatFixed(needed, instrument.quantityPlaces));
  }
  draft.problems.push({
    field: 'amount',
    text:
      `An order must be worth at least ${formatDecimal(instrument.notionalMin)} ` +
      `${instrument.quote}; this one is ${formatFixed(notional, instrument.quotePlaces)}.`,
    fixes,
  });
}

function heldBy(
  ticket: Ticket,
  instrument: Instrument,
  outcome: Outcome,
  draft: Draft,
): Decimal | null {
  if (ticket.side === 'SELL') return outcome.quantity;
  const { budget, price, stop, quantity } = draft;
  if (budget !== null) return budget;
  if (quantity === null) return outcome.total;
  const profit = draft.profit === null ? ZERO : multiplyCeil(draft.profit, quantity);
  const larger = (held: Decimal) => (held > profit ? held : profit);
  if (price !== null) return larger(multiplyCeil(price, quantity));
  // Nobody knows what a market stop will pay: the house holds some more than its trigger price.
  return stop === null
    ? outcome.total
    : larger(multiplyCeil(multiplyCeil(stop, quantity), ONE + instrument.stopBand));
}

function checkFunds(ticket: Ticket, market: Market, held: Decimal | null, draft: Draft): void {
  if (!market.free || draft.problems.some((one) => one.field === 'amount')) return;
  const { base, quote, quantityPlaces, quotePlaces } = market.instrument;
  if (ticket.side === 'SELL') {
    if (held === null || held <= market.free.base) return;
    draft.problems.push({
      field: 'amount',
      text: `You have ${formatGrouped(market.free.base, quantityPlaces)} ${base} available.`,
      fixes: ticket.amountIn === 'base' ? shareFix(ticket, market, quantityPlaces) : [],
    });
    return;
  }
  if (held === null || held <= market.free.quote) return;
  const band = isStop(ticket.type) && draft.price === null ? market.instrument.stopBand : ZERO;
  const more = band > 0n ? `, ${formatDecimal(band * 100n)}% above its trigger price` : '';
  draft.problems.push({
    field: 'amount',
    text:
      `This needs ${formatGrouped(held, quotePlaces)} ${quote}${more}; ` +
      `you have ${formatGrouped(market.free.quote, quotePlaces)} available.`,
    fixes: shareFix(ticket, market, quantityPlaces),
  });
}

function shareFix(ticket: Ticket, market: Market, places: number): string[] {
  const amount = amountOfShare(ticket, market, 100);
  if (amount === null || amount === ZERO) return [];
  return [ticket.amountIn === 'base' ? formatFixed(amount, places) : formatDecimal(amount)];
}

/** The amount that uses `percent` of what is available, in the unit of the amount field. */
export function amountOfShare(ticket: Ticket, market: Market, percent: number): Decimal | null {
  if (!market.free) return null;
  const { instrument, free } = market;
  const part = (value: Decimal) => (value * BigInt(Math.round(percent * 100))) / 10_000n;
  const price = parseDecimal(isPriced(ticket.type) ? ticket.price : ticket.stop);
  const levels = ticket.side === 'BUY' ? market.asks : market.bids;
  const best = price ?? levels[0]?.price ?? null;
  if (ticket.side === 'SELL') {
    const quantity = floorTo(part(free.base), instrument.lotSize);
    if (ticket.amountIn === 'base') return quantity;
    return best === null ? null : cut(multiplyFloor(best, quantity), instrument.quotePlaces);
  }
  const band = isStop(ticket.type) && !isPriced(ticket.type) ? instrument.stopBand : ZERO;
  const budget = (part(free.quote) * ONE) / (ONE + band);
  if (ticket.amountIn === 'quote') return cut(budget, instrument.quotePlaces);
  if (ticket.type === 'MARKET') {
    return walkBudget(market.asks, budget, instrument.lotSize).quantity;
  }
  return best === null || best === ZERO
    ? null
    : floorTo(divideFloor(budget, best), instrument.lotSize);
}

/** How much of what is available the ticket uses, 0 to 100, for the slider. */
export function shareOfTicket(ticket: Ticket, market: Market): number {
  if (!market.free) return 0;
  const estimate = evaluate(ticket, market);
  const used = estimate.held;
  const all = ticket.side === 'SELL' ? market.free.base : market.free.quote;
  if (!used || all === ZERO) return 0;
  return Number((smaller(used, all) * 100n) / all);
}

function wishOf(ticket: Ticket, instrument: Instrument, draft: Draft): Wish {
  if (ticket.pair) return pairOf(ticket, instrument, draft);
  const head = { symbol: instrument.symbol, side: ticket.side, type: ticket.type };
  if (ticket.type === 'MARKET') {
    return draft.budget === null
      ? { ...head, quantity: formatDecimal(draft.quantity ?? ZERO) }
      : { ...head, quoteOrderQty: formatDecimal(draft.budget) };
  }
  const quantity = formatDecimal(draft.quantity ?? ZERO);
  const stop = draft.stop === null ? {} : { stopPrice: formatDecimal(draft.stop) };
  if (draft.price === null) return { ...head, quantity, ...stop };
  const priced = { ...head, quantity, price: formatDecimal(draft.price), ...stop };
  return ticket.type === 'LIMIT_MAKER' ? priced : { ...priced, timeInForce: ticket.timeInForce };
}

/** A sale stops its loss below and takes its profit above; a purchase the other way. */
function pairOf(ticket: Ticket, instrument: Instrument, draft: Draft): PairWish {
  const [stop, profit] =
    ticket.side === 'SELL' ? (['below', 'above'] as const) : (['above', 'below'] as const);
  return {
    symbol: instrument.symbol,
    side: ticket.side,
    quantity: formatDecimal(draft.quantity ?? ZERO),
    [`${profit}Type`]: 'LIMIT_MAKER',
    [`${profit}Price`]: formatDecimal(draft.profit ?? ZERO),
    [`${stop}Type`]: ticket.type,
    [`${stop}StopPrice`]: formatDecimal(draft.stop ?? ZERO),
    ...(draft.price !== null && {
      [`${stop}Price`]: formatDecimal(draft.price),
      [`${stop}TimeInForce`]: ticket.timeInForce,
    }),
  };
}

function leastQuantity(instrument: Instrument): Decimal {
  return instrument.quantityMin > instrument.lotSize ? instrument.quantityMin : instrument.lotSize;
}

function multiplyCeil(left: Decimal, right: Decimal): Decimal {
  const floor = multiplyFloor(left, right);
  return (left * right) % 100_000_000n === 0n ? floor : floor + 1n;
}

function cut(value: Decimal, places: number): Decimal {
  return floorTo(value, 10n ** BigInt(8 - Math.min(8, places)));
}

function notANumber(text: string): string {
  if (text.includes(',')) return 'Use a dot for decimals and no commas, as in 1234.56.';
  if (/^\d*\.\d{9,}$/.test(text.trim())) return 'At most 8 decimals are kept.';
  return 'Digits and one dot, as in 1234.56.';
}
