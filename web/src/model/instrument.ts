/**
 * An instrument: what may be traded, in which steps. Books are read from exchangeInfo, dealer and
 * agency markets from the house's own list.
 */
import { type Decimal, ZERO, fromWire, placesOf } from './decimal.ts';
import type { WireMarket } from './native.ts';
import type { WireSymbol } from './wire.ts';

/** How orders meet: in a book, at the price of a feed, or at an outside exchange. */
export type Kind = 'book' | 'dealer' | 'agency';

export interface Instrument {
  readonly symbol: string;
  readonly kind: Kind;
  /** As the feed or the house file spells it; empty where nobody does. */
  readonly name: string;
  readonly base: string;
  readonly quote: string;
  readonly status: string;
  readonly orderTypes: readonly string[];
  /** Whether two orders may be placed of which the first to go ends the other. */
  readonly pairs: boolean;
  readonly tickSize: Decimal;
  readonly lotSize: Decimal;
  readonly priceMin: Decimal;
  readonly priceMax: Decimal;
  readonly quantityMin: Decimal;
  readonly quantityMax: Decimal;
  readonly notionalMin: Decimal;
  readonly notionalMax: Decimal;
  readonly pricePlaces: number;
  readonly quantityPlaces: number;
  readonly quotePlaces: number;
  /** Of dealer and agency markets; of a book the account's rates count. */
  readonly takerFee: Decimal;
  readonly feeInQuote: boolean;
  /** Book: how much above its trigger price a market stop that buys holds. */
  readonly stopBand: Decimal;
  /** Agency: how much worse than the reference the outside may be, and where it trades. */
  readonly slippage: Decimal;
  readonly venue: string;
}

export function instrumentFromWire(wire: WireSymbol, stopBand = '0'): Instrument {
  const filter = (name: string) => wire.filters.find((one) => one.filterType === name);
  const price = filter('PRICE_FILTER');
  const lot = filter('LOT_SIZE');
  const notional = filter('NOTIONAL') ?? filter('MIN_NOTIONAL');
  const read = (text: string | undefined) => (text === undefined ? ZERO : fromWire(text));
  const tickSize = read(price?.tickSize);
  const lotSize = read(lot?.stepSize);
  return {
    symbol: wire.symbol,
    kind: 'book',
    name: '',
    base: wire.baseAsset,
    quote: wire.quoteAsset,
    status: wire.status,
    orderTypes: wire.orderTypes,
    pairs: wire.ocoAllowed ?? false,
    tickSize,
    lotSize,
    priceMin: read(price?.minPrice),
    priceMax: read(price?.maxPrice),
    quantityMin: read(lot?.minQty),
    quantityMax: read(lot?.maxQty),
    notionalMin: read(notional?.minNotional),
    notionalMax: read(notional?.maxNotional),
    pricePlaces: placesOf(tickSize),
    quantityPlaces: placesOf(lotSize),
    quotePlaces: quotePlaces(tickSize, lotSize),
    takerFee: ZERO,
    feeInQuote: false,
    stopBand: fromWire(stopBand),
    slippage: ZERO,
    venue: '',
  };
}

export function instrumentFromMarket(wire: WireMarket): Instrument {
  const tickSize = fromWire(wire.tick_size);
  const lotSize = fromWire(wire.lot_size);
  return {
    symbol: wire.symbol,
    kind: wire.market,
    name: wire.name,
    base: wire.base,
    quote: wire.quote,
    status: wire.status,
    orderTypes: [],
    pairs: false,
    tickSize,
    lotSize,
    priceMin: fromWire(wire.price_min),
    priceMax: fromWire(wire.price_max),
    quantityMin: fromWire(wire.quantity_min),
    quantityMax: fromWire(wire.quantity_max),
    notionalMin: fromWire(wire.notional_min),
    notionalMax: fromWire(wire.notional_max),
    pricePlaces: placesOf(tickSize),
    quantityPlaces: placesOf(lotSize),
    quotePlaces: quotePlaces(tickSize, lotSize),
    takerFee: fromWire(wire.taker_fee),
    feeInQuote: wire.fee_in_quote,
    stopBand: ZERO,
    slippage: fromWire(wire.slippage ?? '0'),
    venue: wire.venue ?? '',
  };
}

/** Cents for prices in cents; where prices are finer, every digit that price x quantity has. */
function quotePlaces(tickSize: Decimal, lotSize: Decimal): number {
  const price = placesOf(tickSize);
  return price <= 2 ? 2 : Math.min(8, price + placesOf(lotSize));
}
