// A stand-in for the house while the page is developed: same wire, pretend market, one member.
//   node mock/server.mjs [port]     then http://127.0.0.1:8900/trade/
// /mock/cut drops all sockets and refuses new ones for ?ms=; /mock/mute is silent. Never shipped.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MINUTE, Market } from './market.mjs';
import { outside } from './outside.mjs';
import { accept } from './websocket.mjs';

const PORT = Number(process.argv[2] ?? 8900);
const BUILT = fileURLToPath(new URL('../../src/fondaco/office/static/', import.meta.url));
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "font-src 'self'; connect-src 'self'";
const WIDTH = { '1m': 1, '5m': 5, '15m': 15, '1h': 60, '4h': 240, '1d': 1440 };
const text = (value) => value.toFixed(8);

const markets = [
  new Market({
    symbol: 'BTCUSDT',
    base: 'BTC',
    quote: 'USDT',
    tick: 0.01,
    lot: 0.00001,
    price: 67250,
    minNotional: 5,
    spread: 40,
    size: 0.35,
  }),
  new Market({
    symbol: 'ETHUSDT',
    base: 'ETH',
    quote: 'USDT',
    tick: 0.01,
    lot: 0.0001,
    price: 3120,
    minNotional: 5,
    spread: 6,
    size: 4,
  }),
  new Market({
    symbol: 'SOLUSDT',
    base: 'SOL',
    quote: 'USDT',
    tick: 0.01,
    lot: 0.001,
    price: 158,
    minNotional: 5,
    spread: 1,
    size: 90,
  }),
];
const balances = new Map([
  ['USDT', { free: 100000, held: 0 }],
  ['BTC', { free: 2.5, held: 0 }],
  ['ETH', { free: 20, held: 0 }],
  ['SOL', { free: 0, held: 0 }],
  ['CIB', { free: 500, held: 0 }],
  ['ABAN', { free: 20, held: 0 }],
]);
const orders = [];
const fills = [];
const sockets = new Set();
let closedUntil = 0;
let muted = 0;

const of = (symbol) => markets.find((one) => one.symbol === symbol);
const wire = (order) => ({
  symbol: order.symbol,
  orderId: order.orderId,
  orderListId: -1,
  clientOrderId: order.clientOrderId,
  price: text(order.price),
  origQty: text(order.quantity),
  executedQty: text(order.done),
  cummulativeQuoteQty: text(order.doneQuote),
  status: order.status,
  timeInForce: 'GTC',
  type: order.type,
  side: order.side,
  time: order.time,
  updateTime: order.updated,
  transactTime: order.updated,
});
const position = (...assets) => ({
  e: 'outboundAccountPosition',
  E: Date.now(),
  u: Date.now(),
  B: assets.map((a) => ({ a, f: text(balances.get(a).free), l: text(balances.get(a).held) })),
});
const report = (order, x, extra = {}) => ({
  e: 'executionReport',
  E: Date.now(),
  s: order.symbol,
  c: order.clientOrderId,
  S: order.side,
  o: order.type,
  f: 'GTC',
  q: text(order.quantity),
  p: text(order.price),
  P: '0',
  F: '0',
  g: -1,
  C: '',
  x,
  X: order.status,
  r: 'NONE',
  i: order.orderId,
  l: '0',
  z: text(order.done),
  L: '0',
  n: '0',
  N: null,
  T: Date.now(),
  t: -1,
  m: false,
  O: order.time,
  Z: text(order.doneQuote),
  Y: '0',
  Q: '0',
  ...extra,
});

function publish(stream, data) {
  if (muted > Date.now()) return;
  for (const one of sockets)
    if (one.streams.has(stream)) one.send(JSON.stringify({ stream, data }));
}
const tell = (data) => publish('mock-listen-key', data);
const native = outside({ tell, publish });

function fill(market, order, price, quantity, maker) {
  const quote = price * quantity;
  const buying = order.side === 'BUY';
  const base = balances.get(market.base);
  const cash = balances.get(market.quote);
  const fee = (buying ? quantity : quote) * 0.001;
  if (buying) {
    if (maker) cash.held -= quote;
    else cash.free -= quote;
    base.free += quantity - fee;
  } else {
    if (maker) base.held -= quantity;
    else base.free -= quantity;
    cash.free += quote - fee;
  }
  order.done += quantity;
  order.doneQuote += quote;
  order.left -= quantity;
  order.status = order.left < market.lot / 2 ? 'FILLED' : 'PARTIALLY_FILLED';
  order.updated = Date.now();
  const trade = market.trade(price, quantity, !buying);
  fills.push({
    symbol: market.symbol,
    id: trade.id,
    orderId: order.orderId,
    price: text(price),
    qty: text(quantity),
    quoteQty: text(quote),
    commission: text(fee),
    commissionAsset: buying ? market.base : market.quote,
    time: trade.time,
    isBuyer: buying,
    isMaker: maker,
  });
  tell(
    report(order, 'TRADE', {
      l: text(quantity),
      L: text(price),
      n: text(fee),
      N: buying ? market.base : market.quote,
      t: trade.id,
      m: maker,
      Y: text(quote),
    }),
  );
  tell(position(market.base, market.quote));
  announce(market, [trade]);
}

function announce(market, trades) {
  const name = market.symbol.toLowerCase();
  for (const one of trades) {
    publish(`${name}@trade`, {
      e: 'trade',
      E: one.time,
      s: market.symbol,
      t: one.id,
      p: text(one.price),
      q: text(one.quantity),
      T: one.time,
      m: one.sold,
    });
  }
  if (trades.length === 0) return;
  for (const [i, width] of Object.entries(WIDTH)) {
    const k = market.klines(width * MINUTE, 1, Infinity)[0];
    publish(`${name}@kline_${i}`, {
      e: 'kline',
      E: Date.now(),
      s: market.symbol,
      k: {
        t: k.t,
        T: k.t + width * MINUTE - 1,
        s: market.symbol,
        i,
        o: text(k.o),
        h: text(k.h),
        l: text(k.l),
        c: text(k.c),
        v: text(k.v),
        x: false,
      },
    });
  }
}

setInterval(() => {
  for (const market of markets) {
    const name = market.symbol.toLowerCase();
    announce(market, market.step());
    for (const order of [...market.own]) {
      const hit =
        order.side === 'BUY' ? market.best('a') <= order.ticks : market.best('b') >= order.ticks;
      if (!hit) continue;
      fill(market, order, order.price, order.left, true);
      market.own = market.own.filter((one) => one !== order);
    }
    publish(`${name}@depth@100ms`, market.takeChanges());
    const depth = market.depth(1);
    publish(`${name}@bookTicker`, {
      u: market.updateId,
      s: market.symbol,
      b: depth.bids[0][0],
      B: depth.bids[0][1],
      a: depth.asks[0][0],
      A: depth.asks[0][1],
    });
  }
}, 150);
setInterval(() => {
  for (const market of markets) {
    const day = market.day();
    publish(`${market.symbol.toLowerCase()}@miniTicker`, {
      e: '24hrMiniTicker',
      E: Date.now(),
      s: market.symbol,
      c: text(day.last),
      o: text(day.open),
      h: text(day.high),
      l: text(day.low),
      v: text(day.volume),
      q: text(day.quote),
    });
  }
}, 1000);

class Refused extends Error {
  constructor(code, message, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

function place(q) {
  const market = of(q.symbol);
  if (!market) throw new Refused(-1121, 'Invalid symbol.');
  const buying = q.side === 'BUY';
  const best = market.best(buying ? 'a' : 'b') * market.tick;
  const price = q.type === 'MARKET' ? 0 : Number(q.price);
  const crosses = q.type === 'MARKET' || (buying ? price >= best : price <= best);
  const quantity = q.quantity
    ? Number(q.quantity)
    : Math.floor(Number(q.quoteOrderQty) / best / market.lot) * market.lot;
  const cost = (price || best) * quantity;
  const from = balances.get(buying ? market.quote : market.base);
  if (q.type === 'LIMIT_MAKER' && crosses)
    throw new Refused(-2010, 'Order would immediately match and take.');
  if (cost < market.minNotional) throw new Refused(-1013, 'Filter failure: NOTIONAL');
  if (from.free < (buying ? cost : quantity))
    throw new Refused(-2010, 'Account has insufficient balance for requested action.');
  const order = {
    symbol: market.symbol,
    orderId: market.orderId++,
    clientOrderId: q.newClientOrderId,
    price,
    quantity,
    left: quantity,
    done: 0,
    doneQuote: 0,
    status: 'NEW',
    type: q.type,
    side: q.side,
    time: Date.now(),
    updated: Date.now(),
    ticks: Math.round(price / market.tick),
  };
  orders.push(order);
  tell(report(order, 'NEW'));
  if (crosses) {
    fill(market, order, best, order.left, false);
  } else {
    from.free -= buying ? cost : quantity;
    from.held += buying ? cost : quantity;
    market.own.push(order);
    tell(position(market.base, market.quote));
  }
  return wire(order);
}

function cancel(order) {
  const market = of(order.symbol);
  market.own = market.own.filter((one) => one !== order);
  const from = balances.get(order.side === 'BUY' ? market.quote : market.base);
  const held = order.side === 'BUY' ? order.left * order.price : order.left;
  from.held -= held;
  from.free += held;
  order.status = 'CANCELED';
  order.updated = Date.now();
  tell(report(order, 'CANCELED'));
  tell(position(market.base, market.quote));
  return wire(order);
}

const open = (symbol) =>
  orders.filter(
    (one) =>
      (one.status === 'NEW' || one.status === 'PARTIALLY_FILLED') &&
      (!symbol || one.symbol === symbol),
  );
const ROUTES = {
  'GET exchangeInfo': () => ({
    timezone: 'UTC',
    serverTime: Date.now(),
    rateLimits: [],
    exchangeFilters: [],
    symbols: markets.map((one) => ({
      symbol: one.symbol,
      status: 'TRADING',
      baseAsset: one.base,
      quoteAsset: one.quote,
      baseAssetPrecision: 8,
      quoteAssetPrecision: 8,
      orderTypes: ['LIMIT', 'LIMIT_MAKER', 'MARKET'],
      filters: [
        {
          filterType: 'PRICE_FILTER',
          minPrice: text(one.tick),
          maxPrice: '1000000.00000000',
          tickSize: text(one.tick),
        },
        {
          filterType: 'LOT_SIZE',
          minQty: text(one.lot),
          maxQty: '9000.00000000',
          stepSize: text(one.lot),
        },
        {
          filterType: 'NOTIONAL',
          minNotional: text(one.minNotional),
          maxNotional: '9000000.00000000',
        },
      ],
    })),
  }),
  'GET ticker/24hr': () =>
    markets.map((one) => {
      const day = one.day();
      return {
        symbol: one.symbol,
        priceChange: text(day.last - day.open),
        priceChangePercent: '0',
        lastPrice: text(day.last),
        openPrice: text(day.open),
        highPrice: text(day.high),
        lowPrice: text(day.low),
        volume: text(day.volume),
        quoteVolume: text(day.quote),
        count: 1,
      };
    }),
  'GET depth': (q) => of(q.symbol).depth(Number(q.limit ?? 100)),
  'GET trades': (q) =>
    of(q.symbol)
      .trades.slice(-Number(q.limit ?? 500))
      .map((one) => ({
        id: one.id,
        price: text(one.price),
        qty: text(one.quantity),
        quoteQty: text(one.price * one.quantity),
        time: one.time,
        isBuyerMaker: one.sold,
        isBestMatch: true,
      })),
  'GET klines': (q) =>
    of(q.symbol)
      .klines(WIDTH[q.interval] * MINUTE, Number(q.limit ?? 500), Number(q.endTime ?? Infinity))
      .map((k) => [
        k.t,
        text(k.o),
        text(k.h),
        text(k.l),
        text(k.c),
        text(k.v),
        k.t + WIDTH[q.interval] * MINUTE - 1,
        '0',
        1,
        '0',
        '0',
        '0',
      ]),
  'GET account': () => ({
    commissionRates: { maker: '0.00100000', taker: '0.00100000' },
    balances: [...balances].map(([asset, one]) => ({
      asset,
      free: text(one.free),
      locked: text(one.held),
    })),
  }),
  'GET account/commission': () => ({
    standardCommission: { maker: '0.00100000', taker: '0.00100000' },
  }),
  'GET openOrders': (q) => open(q.symbol).map(wire),
  'GET allOrders': (q) => orders.filter((one) => one.symbol === q.symbol).map(wire),
  'GET myTrades': (q) => fills.filter((one) => one.symbol === q.symbol),
  'POST order': place,
  'DELETE order': (q) => {
    const order = open(q.symbol).find((one) => one.orderId === Number(q.orderId));
    if (!order) throw new Refused(-2011, 'Unknown order sent.');
    return cancel(order);
  },
  'DELETE openOrders': (q) => open(q.symbol).map(cancel),
  'GET order': (q) => {
    const order = orders.find((one) => one.clientOrderId === q.origClientOrderId);
    if (!order) throw new Refused(-2013, 'Order does not exist.');
    return wire(order);
  },
  'POST userDataStream': () => ({ listenKey: 'mock-listen-key' }),
  'PUT userDataStream': () => ({}),
};

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const signedOut = (request) => /anonymous=1/.test(request.headers.cookie ?? '');

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://mock');
  const send = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body === null ? undefined : JSON.stringify(body));
  };
  if (url.pathname === '/mock/cut') {
    closedUntil = Date.now() + Number(url.searchParams.get('ms') ?? 5000);
    for (const one of sockets) one.socket.destroy();
    return send(200, {});
  }
  if (url.pathname === '/mock/mute') {
    muted = Date.now() + Number(url.searchParams.get('ms') ?? 5000);
    return send(200, {});
  }
  if (url.pathname === '/sapi/v1/system/status') return send(200, { status: 0, msg: 'normal' });
  if (url.pathname.startsWith('/api/v1/')) {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      const width = (WIDTH[url.searchParams.get('interval')] ?? 1) * MINUTE;
      const symbol = url.searchParams.get('symbol');
      const asked = { width, symbol, body };
      send(...(native(request.method, url.pathname.slice(8), asked) ?? [404, {}]));
    });
    return undefined;
  }
  if (url.pathname.startsWith('/api/v3/')) {
    if (closedUntil > Date.now()) return request.socket.destroy();
    const name = `${request.method} ${url.pathname.slice(8)}`;
    const route = ROUTES[name];
    if (!route) return send(404, { code: -1000, msg: 'No such route.' });
    const own = /account|order|Orders|myTrades|userData/.test(name);
    if (own && signedOut(request))
      return send(401, { code: -2015, msg: 'Invalid API-key, IP, or permissions for action.' });
    try {
      return send(200, route(Object.fromEntries(url.searchParams)));
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      return send(fault.status, { code: fault.code, msg: fault.message });
    }
  }
  const path =
    url.pathname === '/trade/' ? 'terminal/index.html' : url.pathname.replace(/^\/static\//, '');
  const file = join(BUILT, path);
  if (!file.startsWith(BUILT) || !existsSync(file)) return send(404, {});
  response.writeHead(200, {
    'content-type': TYPES[extname(file)] ?? 'text/plain',
    'content-security-policy': POLICY,
  });
  return response.end(readFileSync(file));
});

server.on('upgrade', (request, socket) => {
  if (closedUntil > Date.now()) return socket.destroy();
  const streams = new Set(
    (new URL(request.url, 'http://mock').searchParams.get('streams') ?? '')
      .split('/')
      .filter(Boolean),
  );
  const peer = { socket, streams };
  peer.send = accept(
    request,
    socket,
    (body) => {
      const { id, method, params = [] } = JSON.parse(body);
      if (method === 'SUBSCRIBE') for (const one of params) streams.add(one);
      if (method === 'UNSUBSCRIBE') for (const one of params) streams.delete(one);
      if (muted < Date.now())
        peer.send(
          JSON.stringify({ result: method === 'LIST_SUBSCRIPTIONS' ? [...streams] : null, id }),
        );
    },
    () => sockets.delete(peer),
  );
  sockets.add(peer);
  return undefined;
});

server.listen(PORT, '127.0.0.1', () =>
  console.log(`mock house on http://127.0.0.1:${PORT}/trade/`),
);
