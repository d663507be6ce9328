/**
 * The local order book: a snapshot and the differences after it.
 *
 * The rule is the wire's: differences are kept until the snapshot is there; those that end at or
 * before lastUpdateId are dropped; the first one used must cover lastUpdateId + 1; each later one
 * must begin where the one before ended. Anything else is a gap, and the book says so instead of
 * guessing. Knows no network: BookSync fetches.
 */
import { type Decimal, ZERO, fromWire } from './decimal.ts';
import type { DepthEvent, WireDepth } from './wire.ts';

export interface Level {
  readonly price: Decimal;
  readonly size: Decimal;
}

export interface Row extends Level {
  /** Everything from the best price to this row. */
  readonly total: Decimal;
}

export type Applied = 'applied' | 'old' | 'gap';

export class LocalBook {
  readonly #bids = new Map<Decimal, Decimal>();
  readonly #asks = new Map<Decimal, Decimal>();
  #lastUpdateId = -1;
  #first = true;

  get lastUpdateId(): number {
    return this.#lastUpdateId;
  }

  reset(snapshot: WireDepth): void {
    this.#bids.clear();
    this.#asks.clear();
    put(this.#bids, snapshot.bids);
    put(this.#asks, snapshot.asks);
    this.#lastUpdateId = snapshot.lastUpdateId;
    this.#first = true;
  }

  apply(event: DepthEvent): Applied {
    if (event.u <= this.#lastUpdateId) return 'old';
    const joins = this.#first
      ? event.U <= this.#lastUpdateId + 1
      : event.U === this.#lastUpdateId + 1;
    if (!joins) return 'gap';
    put(this.#bids, event.b);
    put(this.#asks, event.a);
    this.#lastUpdateId = event.u;
    this.#first = false;
    return 'applied';
  }

  bids(): Level[] {
    return sorted(this.#bids, (left, right) => (left < right ? 1 : -1));
  }

  asks(): Level[] {
    return sorted(this.#asks, (left, right) => (left < right ? -1 : 1));
  }
}

function put(side: Map<Decimal, Decimal>, levels: [string, string][]): void {
  for (const [price, size] of levels) {
    const at = fromWire(price);
    const quantity = fromWire(size);
    if (quantity === ZERO) side.delete(at);
    else side.set(at, quantity);
  }
}

function sorted(
  side: Map<Decimal, Decimal>,
  order: (left: Decimal, right: Decimal) => number,
): Level[] {
  return [...side.keys()].sort(order).map((price) => ({ price, size: side.get(price) ?? ZERO }));
}

/**
 * Levels gathered into steps of `step`, best first, at most `limit` rows, with running totals.
 * Bids gather downward and asks upward, so that no row promises a better price than it holds.
 */
export function rowsOf(
  levels: readonly Level[],
  side: 'bid' | 'ask',
  step: Decimal,
  limit: number,
): Row[] {
  const rows: Row[] = [];
  let total = ZERO;
  for (const level of levels) {
    const over = step > 0n ? level.price % step : 0n;
    const price =
      over === 0n ? level.price : side === 'bid' ? level.price - over : level.price - over + step;
    const last = rows.at(-1);
    if (last && last.price === price) {
      total += level.size;
      rows[rows.length - 1] = { price, size: last.size + level.size, total };
    } else {
      if (rows.length === limit) break;
      total += level.size;
      rows.push({ price, size: level.size, total });
    }
  }
  return rows;
}

export interface Walk {
  /** Base quantity that the book can give. */
  readonly quantity: Decimal;
  /** Quote paid or received for it, cut to 10^-8. */
  readonly notional: Decimal;
  /** The last price touched; null when nothing was. */
  readonly worst: Decimal | null;
  /** False when the book ran out first. */
  readonly whole: boolean;
}

/** What taking `quantity` from these levels (best first) costs, no worse than `bound`. */
export function walkQuantity(
  levels: readonly Level[],
  quantity: Decimal,
  within: (price: Decimal) => boolean = () => true,
): Walk {
  let left = quantity;
  let notional = ZERO;
  let worst: Decimal | null = null;
  for (const level of levels) {
    if (left === ZERO || !within(level.price)) break;
    const taken = level.size < left ? level.size : left;
    notional += taken * level.price;
    left -= taken;
    worst = level.price;
  }
  return {
    quantity: quantity - left,
    notional: notional / 100_000_000n,
    worst,
    whole: left === ZERO,
  };
}

/** What spending `budget` of quote on these levels buys, in whole lots. */
export function walkBudget(levels: readonly Level[], budget: Decimal, lot: Decimal): Walk {
  let left = budget * 100_000_000n;
  let quantity = ZERO;
  let worst: Decimal | null = null;
  let whole = false;
  for (const level of levels) {
    const affordable = left / level.price;
    const wanted = lot > 0n ? affordable - (affordable % lot) : affordable;
    const taken = level.size < wanted ? level.size : wanted;
    if (taken > 0n) worst = level.price;
    quantity += taken;
    left -= taken * level.price;
    if (taken < level.size) {
      whole = true;
      break;
    }
  }
  return {
    quantity,
    notional: budget - left / 100_000_000n,
    worst,
    whole: whole || left === ZERO,
  };
}
