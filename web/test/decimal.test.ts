import { describe, expect, it } from 'vitest';
import {
  ceilTo,
  divideFloor,
  floorTo,
  formatCompact,
  formatDecimal,
  formatFixed,
  formatGrouped,
  fromWire,
  multiplyFloor,
  parseDecimal,
  placesOf,
} from '../src/model/decimal.ts';

const d = (text: string): bigint => fromWire(text);

describe('decimals', () => {
  it('reads what people type, exactly', () => {
    expect(parseDecimal('0.1')).toBe(10_000_000n);
    expect(parseDecimal('.5')).toBe(50_000_000n);
    expect(parseDecimal('5.')).toBe(500_000_000n);
    expect(parseDecimal('92233720368.54775807')).toBe(9_223_372_036_854_775_807n);
    expect(parseDecimal('1.100000000000')).toBe(110_000_000n);
  });

  it('refuses everything that is not a plain decimal of at most 8 places', () => {
    for (const text of [
      '',
      '.',
      '1,5',
      '1e5',
      '-1',
      '+1',
      '0x1',
      'NaN',
      '1.123456789',
      '1 2',
      '１',
    ]) {
      expect(parseDecimal(text), text).toBeNull();
    }
    expect(parseDecimal('9'.repeat(21))).toBeNull();
  });

  it('gives back every string of the wire', () => {
    for (const text of ['0.00000001', '67250.01000000', '-12.50000000', '46116860184.27387904']) {
      expect(formatFixed(fromWire(text), 8)).toBe(text);
    }
    expect(() => fromWire('1e-8')).toThrow('not a decimal of the wire');
  });

  it('never says minus zero', () => {
    expect(formatFixed(d('-0.001'), 2)).toBe('0.00');
    expect(formatFixed(d('-0.011'), 2)).toBe('-0.01');
  });

  it('multiplies and divides toward zero where floats would not', () => {
    expect(formatDecimal(multiplyFloor(d('0.1'), d('0.2')))).toBe('0.02');
    expect(formatDecimal(multiplyFloor(d('69305.16'), d('0.00001')))).toBe('0.6930516');
    expect(formatDecimal(multiplyFloor(d('0.00000001'), d('0.99999999')))).toBe('0');
    expect(formatDecimal(divideFloor(d('1'), d('3')))).toBe('0.33333333');
  });

  it('rounds to steps by name', () => {
    expect(floorTo(d('20.555'), d('0.01'))).toBe(d('20.55'));
    expect(ceilTo(d('20.555'), d('0.01'))).toBe(d('20.56'));
    expect(ceilTo(d('20.55'), d('0.01'))).toBe(d('20.55'));
    expect(placesOf(d('0.00001'))).toBe(5);
    expect(placesOf(d('1'))).toBe(0);
  });

  it('groups and shortens for reading only', () => {
    expect(formatGrouped(d('1234567.891'), 2)).toBe('1,234,567.89');
    expect(formatGrouped(d('999.5'), 0)).toBe('999');
    expect(formatCompact(d('560631234.5'))).toBe('560.63M');
    expect(formatCompact(d('12345'))).toBe('12.34K');
    expect(formatDecimal(d('5.00000000'), 2)).toBe('5.00');
  });
});
