// A pretend market for developing the page: prices walk, levels breathe, own orders fill.
// Nothing here is a model of the house: floats, no ledger, no promises.
let seed = 20260101;
export function chance() {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}
const bell = () => chance() + chance() + chance() + chance() - 2;
const text = (value) => value.toFixed(8);
export const MINUTE = 60_000;

export class Market {
  constructor({ symbol, base, quote, tick, lot, price, minNotional, spread, size }) {
    Object.assign(this, { symbol, base, quote, tick, lot, minNotional, spread, size });
    this.mid = price;
    this.updateId = 1000;
    this.tradeId = 1;
    this.orderId = 100;
    this.bids = new Map();
    this.asks = new Map();
    this.own = [];
    this.trades = [];
    this.minutes = [];
    this.changed = { b: new Map(), a: new Map() };
    this.history();
    this.breathe(400);
    this.changed = { b: new Map(), a: new Map() };
  }

  history() {
    const now = Math.floor(Date.now() / MINUTE) * MINUTE;
    let price = this.mid * 0.96;
    let drift = 0;
    for (let i = 3000; i > 0; i -= 1) {
      drift = drift * 0.97 + bell() * 0.00011;
      const open = price;
      const close = price * (1 + drift + bell() * 0.0006);
      const high = Math.max(open, close) * (1 + Math.abs(bell()) * 0.0004);
      const low = Math.min(open, close) * (1 - Math.abs(bell()) * 0.0004);
      const volume = this.size * (4 + 20 * chance() + 9000 * Math.abs(drift));
      const round = (value) => Math.round(value / this.tick) * this.tick;
      this.minutes.push({
        t: now - i * MINUTE,
        o: round(open),
        h: round(high),
        l: round(low),
        c: round(close),
        v: volume,
      });
      price = close;
    }
    this.mid = price;
  }

  put(side, ticks, size) {
    const map = side === 'b' ? this.bids : this.asks;
    if (size <= 0) map.delete(ticks);
    else map.set(ticks, size);
    this.changed[side].set(ticks, Math.max(0, size));
  }

  breathe(times) {
    const centre = Math.round(this.mid / this.tick);
    for (const ticks of [...this.bids.keys()]) if (ticks >= centre) this.put('b', ticks, 0);
    for (const ticks of [...this.asks.keys()]) if (ticks <= centre) this.put('a', ticks, 0);
    for (let i = 0; i < times; i += 1) {
      const side = chance() < 0.5 ? 'b' : 'a';
      const away = this.spread + Math.floor(-Math.log(1 - chance()) * 60);
      const ticks = side === 'b' ? centre - away : centre + away;
      const size = Math.round((this.size * (0.05 + -Math.log(1 - chance()))) / this.lot) * this.lot;
      this.put(side, ticks, chance() < 0.3 ? 0 : size);
    }
    for (const order of this.own)
      this.put(order.side === 'BUY' ? 'b' : 'a', order.ticks, order.left + this.size / 3);
  }

  best(side) {
    const keys = [...(side === 'b' ? this.bids : this.asks).keys()];
    return side === 'b' ? Math.max(...keys) : Math.min(...keys);
  }

  step() {
    this.drift = (this.drift ?? 0) * 0.98 + bell() * 0.0000008;
    this.mid *= 1 + this.drift + bell() * 0.000004;
    this.breathe(this.bids.size < 40 || this.asks.size < 40 ? 200 : 14);
    const traded = [];
    while (chance() < 0.42) {
      const sold = chance() < 0.5;
      const price = this.best(sold ? 'b' : 'a') * this.tick;
      traded.push(
        this.trade(
          price,
          Math.ceil((this.size * 0.4 * -Math.log(1 - chance())) / this.lot) * this.lot,
          sold,
        ),
      );
    }
    return traded;
  }

  trade(price, quantity, sold) {
    const one = { id: this.tradeId++, price, quantity, time: Date.now(), sold };
    this.trades.push(one);
    if (this.trades.length > 500) this.trades.shift();
    const t = Math.floor(one.time / MINUTE) * MINUTE;
    const last = this.minutes.at(-1);
    if (last.t === t) {
      last.h = Math.max(last.h, price);
      last.l = Math.min(last.l, price);
      last.c = price;
      last.v += quantity;
    } else {
      this.minutes.push({ t, o: price, h: price, l: price, c: price, v: quantity });
    }
    return one;
  }

  depth(limit) {
    const side = (map, order) =>
      [...map]
        .sort(order)
        .slice(0, limit)
        .map(([ticks, size]) => [text(ticks * this.tick), text(size)]);
    return {
      lastUpdateId: this.updateId,
      bids: side(this.bids, (x, y) => y[0] - x[0]),
      asks: side(this.asks, (x, y) => x[0] - y[0]),
    };
  }

  takeChanges() {
    const levels = (map) => [...map].map(([ticks, size]) => [text(ticks * this.tick), text(size)]);
    const event = {
      e: 'depthUpdate',
      E: Date.now(),
      s: this.symbol,
      U: this.updateId + 1,
      u: this.updateId + 3,
      b: levels(this.changed.b),
      a: levels(this.changed.a),
    };
    this.updateId += 3;
    this.changed = { b: new Map(), a: new Map() };
    return event;
  }

  klines(width, limit, end) {
    const gathered = new Map();
    for (const one of this.minutes) {
      const t = Math.floor(one.t / width) * width;
      const held = gathered.get(t);
      if (!held) gathered.set(t, { ...one, t });
      else
        Object.assign(held, {
          h: Math.max(held.h, one.h),
          l: Math.min(held.l, one.l),
          c: one.c,
          v: held.v + one.v,
        });
    }
    return [...gathered.values()].filter((one) => one.t <= end).slice(-limit);
  }

  day() {
    const from = Date.now() - 1440 * MINUTE;
    const minutes = this.minutes.filter((one) => one.t >= from);
    const volume = minutes.reduce((sum, one) => sum + one.v, 0);
    return {
      open: minutes[0].o,
      last: this.minutes.at(-1).c,
      volume,
      quote: volume * this.mid,
      high: Math.max(...minutes.map((one) => one.h)),
      low: Math.min(...minutes.map((one) => one.l)),
    };
  }
}
