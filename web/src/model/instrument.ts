/** An instrument: what may be traded, in which steps. Read once from exchangeInfo. */
import { type Decimal, ZERO, fromWire, placesOf } from './decimal.ts';
import type { WireSymbol } from './wire.ts';

export interface Instrument {
  readonly symbol: string;
  readonly base: string;
  readonly quote: string;
  readonly status: string;
  readonly orderTypes: readonly string[];
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
}

export function instrumentFromWire(wire: WireSymbol): Instrument {
  const filter = (name: string) => wire.filters.find((one) => one.filterType === name);
  const price = filter('PRICE_FILTER');
  const lot = filter('LOT_SIZE');
  const notional = filter('NOTIONAL') ?? filter('MIN_NOTIONAL');
  const read = (text: string | undefined) => (text === undefined ? ZERO : fromWire(text));
  const tickSize = read(price?.tickSize);
  const lotSize = read(lot?.stepSize);
  return {
    symbol: wire.symbol,
    base: wire.baseAsset,
    quote: wire.quoteAsset,
    status: wire.status,
    orderTypes: wire.orderTypes,
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
  };
}

/** Cents for prices in cents; where prices are finer, every digit that price x quantity has. */
function quotePlaces(tickSize: Decimal, lotSize: Decimal): number {
  const price = placesOf(tickSize);
  return price <= 2 ? 2 : Math.min(8, price + placesOf(lotSize));
}
