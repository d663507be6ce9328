// The pretend house's dealer and agency market, with orders that wait and fill. Never shipped.
import { setInterval } from 'node:timers';

const MINUTE = 60_000;
const POOL_MS = 60 * MINUTE;
const MINIMUM = 10;
const text = (value) => value.toFixed(8);
const stamp = (ms) => new Date(ms).toISOString();
const terms = {
  quote: 'USDT',
  status: 'TRADING',
  tick_size: '0.01',
  price_min: '0.01000000',
  price_max: '1000000.00000000',
  quantity_max: '1000000.00000000',
  notional_min: '0.00000000',
  notional_max: '9000000.00000000',
  taker_fee: '0.00000000',
  fee_in_quote: false,
};

/** @param house what it shares with the books: balances, tell(data), publish(stream, data) */
export function outside(house) {
  let price = 28;
  let quote = { price: text(price), availability: text(46), time: stamp(Date.now()) };
  const seen = [];
  for (let at = Date.now() - 180 * MINUTE; at < Date.now(); at += 7_000) {
    price = Math.max(5, price + Math.round((Math.random() - 0.5) * 8) / 100);
    seen.push({ at, price });
  }
  const orders = [];
  let nextId = 9_000;
  const waits = (order) => ['NEW', 'PARTIALLY_FILLED'].includes(order.status);
  const inPool = (side) =>
    orders.filter(
      (one) => one.symbol === 'ABANUSDT' && one.side === side && one.wait === 'POOL' && waits(one),
    );
  const pool = (side) => {
    const among = inPool(side);
    const quantity = among.reduce((sum, one) => sum + Number(one.quantity), 0);
    const first = among[0];
    return {
      orders: among.length,
      quantity: text(quantity),
      notional: text(quantity * 10),
      min_notional: text(MINIMUM),
      deadline: first ? stamp(first.created_at + POOL_MS) : null,
    };
  };
  const pools = () => ({
    reference_price: text(10),
    pools: { buy: pool('BUY'), sell: pool('SELL') },
  });
  const markets = () => [
    {
      ...terms,
      symbol: 'CIBUSDT',
      name: 'Commercial International Bank',
      market: 'dealer',
      base: 'CIB',
      lot_size: '1',
      quantity_min: '1.00000000',
      ...quote,
    },
    {
      ...terms,
      symbol: 'ABANUSDT',
      name: '',
      market: 'agency',
      base: 'ABAN',
      lot_size: '0.0001',
      quantity_min: '0.00010000',
      venue: 'outside',
      slippage: '0.01000000',
      ...pools(),
    },
  ];
  const tellOrder = (order, x) =>
    house.tell({
      e: 'executionReport', E: Date.now(), s: order.symbol, c: '', C: '', S: order.side,
      o: order.upper_bound ? 'BOUNDED' : 'POOLED', f: 'GTC', q: order.quantity,
      p: order.upper_bound ?? '0', P: order.lower_bound ?? '0', x, X: order.status, r: 'NONE',
      i: order.id, l: '0', z: order.filled_quantity, L: '0', n: '0', N: null, T: Date.now(), t: -1,
      m: false, O: order.created_at, Z: order.filled_quote, Y: '0', Q: '0',
      ...(waits(order) ? { wait: order.wait } : {}),
    }); // prettier-ignore
  const give = (order, quantity, at) => {
    const filled = Number(order.filled_quantity) + quantity;
    order.filled_quantity = text(filled);
    order.filled_quote = text(Number(order.filled_quote) + quantity * at);
    order.status = filled >= Number(order.quantity) ? 'FILLED' : 'PARTIALLY_FILLED';
    order.wait = 'AVAILABILITY';
    tellOrder(order, 'TRADE');
  };

  setInterval(() => {
    price = Math.max(5, price + Math.round((Math.random() - 0.5) * 8) / 100);
    let left = 5 + Math.floor(Math.random() * 60);
    quote = { price: text(price), availability: text(left), time: stamp(Date.now()) };
    seen.push({ at: Date.now(), price });
    for (const order of orders.filter((one) => one.upper_bound && waits(one))) {
      if (price > Number(order.upper_bound) || price < Number(order.lower_bound ?? 0)) {
        order.wait = 'OUT_OF_BOUNDS';
        continue;
      }
      const part = Math.min(left, Number(order.quantity) - Number(order.filled_quantity));
      left -= part;
      if (part > 0) give(order, part, price);
    }
    house.publish('cibusdt@quote', { e: 'quote', E: Date.now(), s: 'CIBUSDT', ...quote });
  }, 1500);

  function leave(side) {
    const among = inPool(side);
    if (among.reduce((sum, one) => sum + Number(one.quantity) * 10, 0) < MINIMUM) return;
    const event = (status) =>
      house.tell({
        e: 'venueOrder',
        E: Date.now(),
        s: 'ABANUSDT',
        venue_order: nextId,
        status,
        orders: among.map((one) => one.id),
      });
    for (const one of among) Object.assign(one, { wait: 'VENUE', venue_order: 'mock-1' });
    event('SENT');
    setTimeout(() => {
      for (const one of among) give(one, Number(one.quantity), 10);
      event('CONFIRMED');
    }, 5000);
  }

  function place(wish) {
    if (Number(wish.quantity) > 5000) {
      return [400, { quantity: ['You have too little of it for 5,000.'] }];
    }
    const order = {
      ...wish, id: nextId++, filled_quantity: '0', filled_quote: '0', status: 'NEW',
      wait: wish.upper_bound ? 'NO_QUOTE' : 'POOL', created_at: Date.now(), updated_at: Date.now(),
    }; // prettier-ignore
    orders.push(order);
    tellOrder(order, 'NEW');
    if (!wish.upper_bound) leave(wish.side);
    house.publish('abanusdt@pool', { e: 'pool', E: Date.now(), s: 'ABANUSDT', ...pools() });
    return [201, order];
  }

  function cancel(id) {
    const order = orders.find((one) => one.id === id && waits(one));
    if (!order) return [404, { detail: 'No Order matches the given query.' }];
    if (order.wait === 'VENUE') return [409, { error: 'The order was sent to its venue.' }];
    order.status = 'CANCELED';
    tellOrder(order, 'CANCELED');
    house.publish('abanusdt@pool', { e: 'pool', E: Date.now(), s: 'ABANUSDT', ...pools() });
    return [204, null];
  }

  function candles(width) {
    const found = new Map();
    for (const { at, price: now } of seen) {
      const start = at - (at % width);
      const one = found.get(start) ?? { time: start, open: now, high: now, low: now, messages: 0 };
      found.set(start, {
        ...one,
        high: Math.max(one.high, now),
        low: Math.min(one.low, now),
        close: now,
        messages: one.messages + 1,
      });
    }
    return [...found.values()].map((one) => ({
      ...one,
      time: stamp(one.time),
      ...Object.fromEntries(['open', 'high', 'low', 'close'].map((key) => [key, text(one[key])])),
    }));
  }

  /** [status, body] of a native route; null: it is none. */
  return (method, path, { width, symbol, body }) => {
    const [what, name, more] = path.split('/').filter(Boolean);
    if (what === 'markets' && more === 'candles') return [200, candles(width)];
    if (what === 'markets') {
      const all = markets();
      if (!name) return [200, all];
      return [200, all.find((one) => one.symbol === name)];
    }
    if (what !== 'orders') return null;
    if (method === 'POST') return place(JSON.parse(body));
    if (method === 'DELETE') return cancel(Number(name));
    return [200, orders.filter((one) => one.symbol === symbol).reverse()];
  };
}
