/** How the page says prices, quantities, times and orders. One place, so that all views agree. */
import { type Decimal, ONE, formatDecimal, formatFixed, formatGrouped } from './decimal.ts';
import type { Instrument } from './instrument.ts';
import { type Order, averagePrice, isOpen, isWaiting } from './orders.ts';
import { firesOnRise } from './stops.ts';
import type { Tone } from './notices.svelte.ts';

export function priceText(instrument: Instrument, price: Decimal): string {
  return formatGrouped(price, instrument.pricePlaces);
}

export function quantityText(instrument: Instrument, quantity: Decimal): string {
  return formatGrouped(quantity, instrument.quantityPlaces);
}

/** A percentage from two prices, in hundredths of a percent, exact and signed. */
export function changePercent(from: Decimal, to: Decimal): string {
  if (from === 0n) return '0.00';
  const hundredths = ((to - from) * 10_000n) / from;
  return formatFixed(hundredths * 1_000_000n, 2);
}

export function signed(text: string): string {
  return text.startsWith('-') ? `\u2212${text.slice(1)}` : `+${text}`;
}

/** 0.001 as 0.1%. */
export function rateText(rate: Decimal): string {
  return `${formatDecimal(rate * 100n, 2)}%`;
}

/** Small fees keep their digits, larger ones are cut to cents. */
export function feeText(fee: Decimal): string {
  return fee < ONE ? formatDecimal(fee) : formatGrouped(fee, 2);
}

const pad = (value: number, width = 2) => String(value).padStart(width, '0');

/** All times of the page are UTC, and the header says so. */
export function clockText(time: number): string {
  const date = new Date(time);
  return `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
}

export function dayText(time: number): string {
  const date = new Date(time);
  return `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
}

/** How old something is: "3 s ago", "4 min ago". The clocks may differ a little: never negative. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} days ago`;
}

/** What is left of a time: "59:07", "1:00:00". */
export function leftText(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const tail = `${pad(seconds % 60)}`;
  return hours > 0 ? `${hours}:${pad(minutes)}:${tail}` : `${minutes}:${tail}`;
}

const STATUS: Record<string, string> = {
  NEW: 'Open',
  PARTIALLY_FILLED: 'Partly filled',
  FILLED: 'Filled',
  CANCELED: 'Cancelled',
  EXPIRED: 'Expired',
  EXPIRED_IN_MATCH: 'Expired (own order)',
  REJECTED: 'Refused',
};

export function statusText(status: string): string {
  return STATUS[status] ?? status;
}

export function sideText(side: string): string {
  return side === 'BUY' ? 'Buy' : 'Sell';
}

const TYPE: Record<string, string> = {
  LIMIT: 'Limit',
  MARKET: 'Market',
  LIMIT_MAKER: 'Post only',
  STOP_LOSS: 'Stop loss',
  STOP_LOSS_LIMIT: 'Stop loss limit',
  TAKE_PROFIT: 'Take profit',
  TAKE_PROFIT_LIMIT: 'Take profit limit',
  BOUNDED: 'Bounded',
  POOLED: 'Pooled',
};

export function typeText(type: string): string {
  return TYPE[type] ?? type;
}

/** The type of an order; the maker of a pair is what takes its profit. */
export function kindText({ type, list }: Order): string {
  return typeText(list >= 0 && type === 'LIMIT_MAKER' ? 'TAKE_PROFIT' : type);
}

/** The price that sets a stop going, with the way the market must come: "\u2265 61,000.00". */
export function triggerText(instrument: Instrument, order: Order): string {
  const way = firesOnRise(order.side, order.type) ? '\u2265' : '\u2264';
  return `${way} ${priceText(instrument, order.stop)}`;
}

export function nameText({ base, quote }: Instrument): string {
  return `${base}/${quote}`;
}

/** How many orders and pairs: "1 order and 2 pairs". */
export function countText(orders: number, pairs: number): string {
  const said = [
    [orders, 'order'],
    [pairs, 'pair'],
  ] as const;
  const told = said.filter(([count]) => count > 0);
  return told.map(([count, name]) => `${count} ${name}${count > 1 ? 's' : ''}`).join(' and ');
}

export interface News {
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
}

/** What a notice says of a pair: both together, until one of them acts. */
export function pairNews(pair: readonly Order[], instrument: Instrument): News {
  const fired = (one: Order) => isOpen(one) && one.stop > 0n && one.works;
  const acted = pair.find((one) => one.filled > 0n) ?? pair.find(fired);
  if (acted) return orderNews(acted, instrument);
  const told = { tone: 'plain' as const, text: pair.map((one) => leg(one, instrument)).join('; ') };
  if (pair.every(isOpen)) return { ...told, title: 'Pair placed' };
  const cancelled = pair.some((one) => one.status === 'CANCELED');
  return { ...told, title: cancelled ? 'Pair cancelled' : 'Pair ended, unfilled' };
}

function leg(order: Order, instrument: Instrument): string {
  const amount = `${sideText(order.side)} ${quantityText(instrument, order.quantity)}`;
  return order.stop > 0n
    ? `stop ${triggerText(instrument, order)}`
    : `${amount} ${instrument.base}: take profit ${priceText(instrument, order.price)}`;
}

/** What a notice says when an order came to rest in some state. */
export function orderNews(order: Order, instrument: Instrument): News {
  const tone = order.side === 'BUY' ? 'buy' : 'sell';
  const verb = order.side === 'BUY' ? 'Buy' : 'Sell';
  const past = order.side === 'BUY' ? 'Bought' : 'Sold';
  const whole = quantityText(instrument, order.quantity);
  const part = quantityText(instrument, order.filled);
  const average = averagePrice(order);
  const at = average === null ? '' : ` at ${priceText(instrument, average)} ${instrument.quote}`;
  const limit = order.price > 0n ? ` at ${priceText(instrument, order.price)}` : '';
  const partly = `; ${part} filled`;
  switch (order.status) {
    case 'FILLED':
      return { tone, title: `${past} ${part} ${instrument.base}`, text: `Filled${at}` };
    case 'PARTIALLY_FILLED':
      return {
        tone,
        title: `${past} ${part} of ${whole} ${instrument.base}`,
        text: `Partly filled${at}; the rest is on the book`,
      };
    case 'NEW':
      if (isWaiting(order)) {
        return {
          tone: 'plain',
          title: `${typeText(order.type)} waits`,
          text: `${verb} ${whole} ${instrument.base}${limit} when the price is ${triggerText(instrument, order)}`,
        };
      }
      return {
        tone: 'plain',
        title: 'Order on the book',
        text: `${verb} ${whole} ${instrument.base}${limit}`,
      };
    case 'CANCELED':
      return {
        tone: 'plain',
        title: 'Order cancelled',
        text: `${verb} ${whole} ${instrument.base}${limit}${order.filled > 0n ? partly : ''}`,
      };
    default:
      return {
        tone: order.filled > 0n ? tone : 'bad',
        title: `Order ${statusText(order.status).toLowerCase()}`,
        text: `${verb} ${whole} ${instrument.base}${limit}; ${part} filled${at}`,
      };
  }
}
