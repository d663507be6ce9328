import { describe, expect, it } from 'vitest';
import { formatDecimal, fromWire } from '../src/model/decimal.ts';
import { instrumentFromWire } from '../src/model/instrument.ts';
import {
  type Market,
  type Ticket,
  amountOfShare,
  evaluate,
  shareOfTicket,
} from '../src/model/ticket.ts';

const d = fromWire;
const instrument = instrumentFromWire(
  {
    symbol: 'BTCUSDT',
    status: 'TRADING',
    baseAsset: 'BTC',
    quoteAsset: 'USDT',
    baseAssetPrecision: 8,
    quoteAssetPrecision: 8,
    orderTypes: ['LIMIT', 'MARKET', 'LIMIT_MAKER', 'STOP_LOSS'],
    filters: [
      {
        filterType: 'PRICE_FILTER',
        minPrice: '0.01000000',
        maxPrice: '1000000.00000000',
        tickSize: '0.01000000',
      },
      {
        filterType: 'LOT_SIZE',
        minQty: '0.00001000',
        maxQty: '9000.00000000',
        stepSize: '0.00001000',
      },
      { filterType: 'NOTIONAL', minNotional: '5.00000000' },
    ],
  },
  '0.05000000',
);
const market = (part: Partial<Market> = {}): Market => ({
  instrument,
  bids: [
    { price: d('19.99'), size: d('5') },
    { price: d('19.90'), size: d('5') },
  ],
  asks: [
    { price: d('20.01'), size: d('5') },
    { price: d('20.10'), size: d('5') },
  ],
  last: d('20.00'),
  free: { base: d('10'), quote: d('1000') },
  makerRate: d('0.0005'),
  takerRate: d('0.001'),
  ...part,
});
const ticket = (part: Partial<Ticket> = {}): Ticket => ({
  side: 'BUY',
  type: 'LIMIT',
  timeInForce: 'GTC',
  price: '20.00',
  stop: '',
  pair: false,
  profit: '',
  amount: '1',
  amountIn: 'base',
  ...part,
});
const problems = (part: Partial<Ticket>, on: Partial<Market> = {}) =>
  evaluate(ticket(part), market(on)).problems.map((one) => [one.field, one.text, ...one.fixes]);

describe('a ticket that is right', () => {
  it('sends plain decimal strings of what was typed', () => {
    expect(evaluate(ticket({ price: '20.0', amount: '.5' }), market()).wish).toEqual({
      symbol: 'BTCUSDT',
      side: 'BUY',
      type: 'LIMIT',
      timeInForce: 'GTC',
      quantity: '0.5',
      price: '20',
    });
    expect(evaluate(ticket({ type: 'LIMIT_MAKER' }), market()).wish).toEqual({
      symbol: 'BTCUSDT',
      side: 'BUY',
      type: 'LIMIT_MAKER',
      quantity: '1',
      price: '20',
    });
  });

  it('estimates a resting order as maker and a crossing one as taker at the prices of the book', () => {
    const rests = evaluate(ticket(), market());
    expect([rests.role, formatDecimal(rests.fee ?? 0n), rests.feeAsset]).toEqual([
      'maker',
      '0.0005',
      'BTC',
    ]);
    const never = evaluate(ticket({ type: 'LIMIT_MAKER', price: '20.05' }), market());
    expect(never.role).toBe('maker');
    const takes = evaluate(ticket({ price: '20.05', amount: '2' }), market());
    expect([takes.role, formatDecimal(takes.total ?? 0n)]).toEqual(['taker', '40.02']);
    const both = evaluate(ticket({ price: '20.05', amount: '6' }), market());
    expect([both.role, formatDecimal(both.total ?? 0n)]).toEqual(['both', '120.1']);
  });

  it('walks the book for a market order and takes the fee from what is received', () => {
    const sale = evaluate(ticket({ side: 'SELL', type: 'MARKET', amount: '6' }), market());
    expect(formatDecimal(sale.total ?? 0n)).toBe('119.85');
    expect([formatDecimal(sale.fee ?? 0n), sale.feeAsset]).toEqual(['0.11985', 'USDT']);
    expect(sale.wish).toEqual({ symbol: 'BTCUSDT', side: 'SELL', type: 'MARKET', quantity: '6' });
  });

  it('spends a total: by quote quantity at market, by whole lots at a limit', () => {
    const spend = evaluate(ticket({ type: 'MARKET', amount: '50', amountIn: 'quote' }), market());
    expect(spend.wish).toEqual({
      symbol: 'BTCUSDT',
      side: 'BUY',
      type: 'MARKET',
      quoteOrderQty: '50',
    });
    expect(formatDecimal(spend.quantity ?? 0n)).toBe('2.49875');
    const limit = evaluate(ticket({ amount: '50', amountIn: 'quote', price: '20.01' }), market());
    expect(limit.wish?.quantity).toBe('2.49875');
  });
});

describe('a ticket that is wrong says what would be right', () => {
  it.each<[string, Partial<Ticket>, string[]]>([
    [
      'a price off the tick',
      { price: '20.555' },
      ['price', 'Tick size is 0.01; the price was 20.555.', '20.55', '20.56'],
    ],
    [
      'a quantity off the lot',
      { amount: '0.999999' },
      ['amount', 'Lot size is 0.00001; the quantity was 0.999999.', '0.99999', '1.00000'],
    ],
    [
      'too little worth',
      { amount: '0.2' },
      ['amount', 'An order must be worth at least 5 USDT; this one is 4.00.', '0.25001'],
    ],
    [
      'a price too high',
      { price: '2000000' },
      ['price', 'The highest price allowed is 1000000.00.', '1000000.00'],
    ],
    ['no number', { price: 'abc' }, ['price', 'Digits and one dot, as in 1234.56.']],
    [
      'a comma',
      { price: '20,5' },
      ['price', 'Use a dot for decimals and no commas, as in 1234.56.'],
    ],
    ['nine decimals', { amount: '1.123456789' }, ['amount', 'At most 8 decimals are kept.']],
    [
      'more than one has',
      { amount: '60' },
      ['amount', 'This needs 1,200.00 USDT; you have 1,000.00 available.', '50.00000'],
    ],
    [
      'more coin than one has',
      { side: 'SELL', price: '21', amount: '11' },
      ['amount', 'You have 10.00000 BTC available.', '10.00000'],
    ],
    [
      'a post-only order that would trade',
      { type: 'LIMIT_MAKER', price: '20.05' },
      [
        'price',
        'Post only: at this price the order would fill at once. Best ask is 20.01.',
        '20.00',
      ],
    ],
    [
      'a fill-or-kill that cannot fill',
      { timeInForce: 'FOK', price: '20.01', amount: '6' },
      ['form', 'Fill or kill: the book cannot fill this whole at this price now.'],
    ],
  ])('%s', (_name, part, expected) => {
    expect(problems(part)).toEqual([expected]);
    expect(evaluate(ticket(part), market()).wish).toBeNull();
  });

  it('knows a book that is too thin or empty', () => {
    expect(problems({ type: 'MARKET', amount: '11' })).toEqual([
      ['amount', 'The visible book holds only 10.00000 BTC (200.55 USDT).', '10.00000'],
    ]);
    expect(problems({ type: 'MARKET' }, { asks: [] })[0]?.[1]).toContain('no offers');
  });

  it('is quiet about fields not filled in yet, but sends nothing', () => {
    const empty = evaluate(ticket({ price: '', amount: '' }), market());
    expect(empty.problems.map((one) => one.quiet)).toEqual([true, true]);
    expect(empty.wish).toBeNull();
  });

  it('does not trade what is halted', () => {
    const halted = { ...instrument, status: 'HALT' };
    expect(problems({}, { instrument: halted })[0]?.[0]).toBe('form');
  });

  it.each(['0.25001', '0.99999'])('a suggested quantity %s is itself accepted', (amount) => {
    expect(problems({ amount })).toEqual([]);
  });
});

describe('a stop', () => {
  const wish = (part: Partial<Ticket>) => evaluate(ticket({ price: '', ...part }), market()).wish;

  it('is sent with its trigger price; with a limit also with price and time in force', () => {
    expect(wish({ side: 'SELL', type: 'STOP_LOSS', stop: '19.5' })).toEqual({
      symbol: 'BTCUSDT',
      side: 'SELL',
      type: 'STOP_LOSS',
      quantity: '1',
      stopPrice: '19.5',
    });
    expect(
      wish({ type: 'TAKE_PROFIT_LIMIT', stop: '19', price: '19.1', timeInForce: 'FOK' }),
    ).toEqual({
      symbol: 'BTCUSDT',
      side: 'BUY',
      type: 'TAKE_PROFIT_LIMIT',
      quantity: '1',
      price: '19.1',
      stopPrice: '19',
      timeInForce: 'FOK',
    });
  });

  it.each<[Ticket['side'], Ticket['type'], string, string]>([
    ['BUY', 'STOP_LOSS', '20.00', 'A stop loss that buys belongs above it; below it, choose take'],
    ['BUY', 'TAKE_PROFIT', '20.01', 'A take profit that buys belongs below it; above it, choose'],
    ['SELL', 'STOP_LOSS_LIMIT', '20.01', 'A stop loss that sells belongs below it; above it,'],
    ['SELL', 'TAKE_PROFIT_LIMIT', '20.00', 'A take profit that sells belongs above it; below it'],
  ])('%s %s at %s is said to fire at once', (side, type, stop, text) => {
    const found = problems({ side, type, stop, price: '20.00' });
    expect(found.map(([field]) => field)).toEqual(['stop']);
    expect(found[0]?.[1]).toContain('The last price is 20.00, so this would fire at once.');
    expect(found[0]?.[1]).toContain(text);
  });

  it('waits for any price before the first trade', () => {
    const found = evaluate(
      ticket({ type: 'STOP_LOSS', stop: '1', amount: '9' }),
      market({ last: null }),
    );
    expect(found.wish).toMatchObject({ stopPrice: '1' });
  });

  it('is quiet about an empty trigger price, and offers ticks for one off the tick', () => {
    const empty = evaluate(ticket({ type: 'STOP_LOSS', stop: '' }), market());
    expect(empty.problems.map((one) => [one.field, one.quiet])).toEqual([['stop', true]]);
    expect(problems({ type: 'STOP_LOSS', stop: '21.005' })).toEqual([
      ['stop', 'Tick size is 0.01; the price was 21.005.', '21.00', '21.01'],
    ]);
  });

  it('that buys at market holds some more than its trigger price, and the slider knows', () => {
    const part = { type: 'STOP_LOSS', stop: '25' } as const;
    expect(problems({ ...part, amount: '39' })).toEqual([
      [
        'amount',
        'This needs 1,023.75 USDT, 5% above its trigger price; you have 1,000.00 available.',
        '38.09523',
      ],
    ]);
    const all = formatDecimal(amountOfShare(ticket(part), market(), 100) ?? 0n);
    expect(problems({ ...part, amount: all })).toEqual([]);
    expect(shareOfTicket(ticket({ ...part, amount: all }), market())).toBe(99);
    expect(problems({ ...part, type: 'STOP_LOSS_LIMIT', price: '25', amount: '40' })).toEqual([]);
  });

  it('counts a total by its limit, else by its trigger price', () => {
    const part = { stop: '25', amount: '100', amountIn: 'quote' } as const;
    expect(wish({ ...part, type: 'STOP_LOSS' })?.quantity).toBe('4');
    expect(wish({ ...part, type: 'STOP_LOSS_LIMIT', price: '20' })?.quantity).toBe('5');
    expect(wish({ ...part, type: 'STOP_LOSS' })).not.toHaveProperty('quoteOrderQty');
  });
});

describe('a pair', () => {
  const pair = (part: Partial<Ticket>) =>
    ticket({ type: 'STOP_LOSS', pair: true, price: '', ...part });

  it('of a sale takes profit above and stops below; of a purchase the other way', () => {
    const sale = evaluate(pair({ side: 'SELL', profit: '21', stop: '19' }), market());
    expect(sale.wish).toEqual({
      symbol: 'BTCUSDT',
      side: 'SELL',
      quantity: '1',
      aboveType: 'LIMIT_MAKER',
      abovePrice: '21',
      belowType: 'STOP_LOSS',
      belowStopPrice: '19',
    });
    const buy = pair({ type: 'STOP_LOSS_LIMIT', profit: '19', stop: '21', price: '21.5' });
    expect(evaluate(buy, market()).wish).toEqual({
      symbol: 'BTCUSDT',
      side: 'BUY',
      quantity: '1',
      belowType: 'LIMIT_MAKER',
      belowPrice: '19',
      aboveType: 'STOP_LOSS_LIMIT',
      aboveStopPrice: '21',
      abovePrice: '21.5',
      aboveTimeInForce: 'GTC',
    });
  });

  it('holds the larger of its two, once', () => {
    const held = (part: Partial<Ticket>) => evaluate(pair(part), market()).held;
    expect(held({ side: 'SELL', profit: '21', stop: '19' })).toBe(d('1'));
    expect(held({ profit: '19', stop: '21' })).toBe(d('22.05'));
    const limited = { type: 'STOP_LOSS_LIMIT', stop: '20.01', price: '18' } as const;
    expect(held({ ...limited, profit: '19' })).toBe(d('19'));
  });

  it.each<[Partial<Ticket>, string]>([
    [{ side: 'SELL', profit: '19.99', stop: '19' }, 'The best bid is 19.99: a pair that sells'],
    [{ side: 'BUY', profit: '20.01', stop: '21' }, 'The best ask is 20.01: a pair that buys'],
  ])('that would take its profit at once is said: %o', (part, text) => {
    const [problem, ...more] = evaluate(pair(part), market()).problems;
    expect([problem?.field, more]).toEqual(['profit', []]);
    expect(problem?.text).toContain(text);
  });
});

describe('a pair with its prices changed about', () => {
  it.each<[Partial<Ticket>, string]>([
    [
      { side: 'SELL', profit: '19', stop: '21' },
      'sells has its profit above the last price, 20.00',
    ],
    [{ side: 'BUY', profit: '21', stop: '19' }, 'buys has its stop above the last price, 20.00'],
  ])('is told once, and is right when they are swapped: %o', (part, text) => {
    const told = ticket({ type: 'STOP_LOSS', pair: true, price: '', ...part });
    const [problem, ...more] = evaluate(told, market()).problems;
    expect([problem?.field, problem?.swap, more]).toEqual(['profit', true, []]);
    expect(problem?.text).toContain(text);
    const swapped = evaluate({ ...told, profit: told.stop, stop: told.profit }, market());
    expect(swapped.problems).toEqual([]);
    expect(swapped.profitTotal).toBe(d(told.stop));
  });
});

describe('the slider', () => {
  it('uses a part of what is available, in whole lots', () => {
    expect(formatDecimal(amountOfShare(ticket(), market(), 50) ?? 0n)).toBe('25');
    expect(formatDecimal(amountOfShare(ticket({ side: 'SELL' }), market(), 25) ?? 0n)).toBe('2.5');
    expect(formatDecimal(amountOfShare(ticket({ price: '20.03' }), market(), 100) ?? 0n)).toBe(
      '49.92511',
    );
  });

  it('all of it is a ticket that the house can pay', () => {
    for (const type of ['LIMIT', 'MARKET'] as const) {
      for (const side of ['BUY', 'SELL'] as const) {
        const deep = market({
          asks: [{ price: d('20.01'), size: d('900') }],
          bids: [{ price: d('19.99'), size: d('900') }],
        });
        const part = ticket({ type, side, price: side === 'BUY' ? '20.03' : '21' });
        const amount = formatDecimal(amountOfShare(part, deep, 100) ?? 0n);
        expect(evaluate({ ...part, amount }, deep).problems, `${type} ${side}`).toEqual([]);
      }
    }
  });

  it('stands where the ticket is', () => {
    expect(shareOfTicket(ticket({ amount: '25' }), market())).toBe(50);
    expect(shareOfTicket(ticket({ amount: '25' }), market({ free: null }))).toBe(0);
  });
});
