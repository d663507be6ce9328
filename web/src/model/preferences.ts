/** What this browser remembers: looks only, never anything about money. */
import { INTERVALS, type Interval } from './candles.ts';

export type Theme = 'system' | 'dark' | 'light';

export interface Preferences {
  theme: Theme;
  symbol: string;
  interval: Interval;
  indicators: string[];
}

const KEY = 'fondaco.terminal';

export function readPreferences(storage: Pick<Storage, 'getItem'>): Preferences {
  const standard: Preferences = { theme: 'system', symbol: '', interval: '1m', indicators: [] };
  let stored: Partial<Preferences>;
  try {
    stored = JSON.parse(storage.getItem(KEY) ?? '{}') as Partial<Preferences>;
  } catch {
    return standard;
  }
  return {
    theme: stored.theme === 'dark' || stored.theme === 'light' ? stored.theme : 'system',
    symbol: typeof stored.symbol === 'string' ? stored.symbol : '',
    interval: INTERVALS.find((one) => one === stored.interval) ?? '1m',
    indicators: Array.isArray(stored.indicators)
      ? stored.indicators.filter((one) => typeof one === 'string')
      : [],
  };
}

export function writePreferences(
  storage: Pick<Storage, 'setItem'>,
  preferences: Preferences,
): void {
  try {
    storage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // A full or forbidden store costs the memory of a choice, nothing else.
  }
}
