/**
 * Orders that wait for a price before they work: their names, and the way the market must come.
 *
 * The house compares them with the last trade, not with the book.
 */
import type { Decimal } from './decimal.ts';
import type { Side } from './wire.ts';

export type StopType = 'STOP_LOSS' | 'STOP_LOSS_LIMIT' | 'TAKE_PROFIT' | 'TAKE_PROFIT_LIMIT';
export type StopKind = 'STOP_LOSS' | 'TAKE_PROFIT';

const STOPS: ReadonlySet<string> = new Set<StopType>([
  'STOP_LOSS',
  'STOP_LOSS_LIMIT',
  'TAKE_PROFIT',
  'TAKE_PROFIT_LIMIT',
]);

export function isStop(type: string): type is StopType {
  return STOPS.has(type);
}

/** Whether an order of this type has a limit price of its own. */
export function isPriced(type: string): boolean {
  return type !== 'MARKET' && type !== 'STOP_LOSS' && type !== 'TAKE_PROFIT';
}

export function kindOf(type: StopType): StopKind {
  return type.startsWith('STOP') ? 'STOP_LOSS' : 'TAKE_PROFIT';
}

export function stopType(kind: StopKind, priced: boolean): StopType {
  return priced ? `${kind}_LIMIT` : kind;
}

/** A buy that stops a loss and a sale for profit fire when the market comes up to them. */
export function firesOnRise(side: Side, type: string): boolean {
  return (side === 'BUY') === type.startsWith('STOP');
}

export function isReached(side: Side, type: string, stop: Decimal, last: Decimal): boolean {
  return firesOnRise(side, type) ? last >= stop : last <= stop;
}

/** Why a trigger price would not wait, and where it belongs. */
export function reachedText(side: Side, type: StopType, last: string): string {
  const verb = side === 'BUY' ? 'buys' : 'sells';
  const name = kindOf(type) === 'STOP_LOSS' ? 'A stop loss' : 'A take profit';
  const way = firesOnRise(side, type) ? 'above' : 'below';
  const [other, across] =
    kindOf(type) === 'STOP_LOSS'
      ? ['take profit', way === 'above' ? 'below' : 'above']
      : ['stop loss', way === 'above' ? 'below' : 'above'];
  return (
    `The last price is ${last}, so this would fire at once. ` +
    `${name} that ${verb} belongs ${way} it; ${across} it, choose ${other}.`
  );
}
