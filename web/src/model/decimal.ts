/**
 * Exact decimals for money: a bigint counting 10^-8.
 *
 * Promises: what the wire sends as a string comes back as the same string; products name their
 * rounding. Does not know floats: `approximate` is for drawing only and never for an amount sent.
 */
export type Decimal = bigint;

export const DECIMALS = 8;
export const ONE: Decimal = 100_000_000n;
export const ZERO: Decimal = 0n;

/** Longer than any amount of an asset (2^62 units), so that a pasted page is not multiplied. */
const DIGITS_MAX = 20;
const SHAPE = /^(\d*)(?:\.(\d*))?$/;

/** The exact value of a plain decimal, or null: no sign, no exponent, at most 8 decimals. */
export function parseDecimal(text: string): Decimal | null {
  const match = SHAPE.exec(text.trim());
  if (!match) return null;
  const whole = match[1] ?? '';
  const fraction = (match[2] ?? '').replace(/0+$/, '');
  if (whole === '' && (match[2] ?? '') === '') return null;
  if (fraction.length > DECIMALS || whole.length > DIGITS_MAX) return null;
  return BigInt(whole || '0') * ONE + BigInt(fraction.padEnd(DECIMALS, '0'));
}

/** A value of the wire: signed where the wire is signed; throws on anything else. */
export function fromWire(text: string): Decimal {
  const negative = text.startsWith('-');
  const value = parseDecimal(negative ? text.slice(1) : text);
  if (value === null) throw new RangeError(`not a decimal of the wire: ${text}`);
  return negative ? -value : value;
}

/** Text with no more decimals than needed and no fewer than `least`. */
export function formatDecimal(value: Decimal, least = 0): string {
  const magnitude = value < 0n ? -value : value;
  const fraction = (magnitude % ONE).toString().padStart(DECIMALS, '0');
  let kept = fraction.replace(/0+$/, '');
  if (kept.length < least) kept = fraction.slice(0, least);
  return `${value < 0n ? '-' : ''}${magnitude / ONE}${kept ? `.${kept}` : ''}`;
}

/** Text with exactly `places` decimals, cut toward zero. */
export function formatFixed(value: Decimal, places: number): string {
  const magnitude = value < 0n ? -value : value;
  const fraction = (magnitude % ONE).toString().padStart(DECIMALS, '0').slice(0, places);
  const sign = value < 0n && (magnitude / ONE > 0n || /[1-9]/.test(fraction)) ? '-' : '';
  return `${sign}${magnitude / ONE}${places > 0 ? `.${fraction}` : ''}`;
}

/** As formatFixed, with thousands set apart by commas: for reading, never for sending. */
export function formatGrouped(value: Decimal, places: number): string {
  const [whole = '', fraction] = formatFixed(value, places).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** A short figure for volumes: 1.24K, 38.1M. */
export function formatCompact(value: Decimal): string {
  const steps: [Decimal, string][] = [
    [1_000_000_000n * ONE, 'B'],
    [1_000_000n * ONE, 'M'],
    [10_000n * ONE, 'K'],
  ];
  for (const [step, letter] of steps) {
    if (value >= step) {
      const unit = letter === 'K' ? 1_000n * ONE : step;
      return `${formatGrouped((value * ONE) / unit, 2)}${letter}`;
    }
  }
  return formatGrouped(value, value >= 1_000n * ONE ? 1 : value >= ONE ? 2 : 4);
}

/** price x quantity, cut toward zero to 10^-8. */
export function multiplyFloor(left: Decimal, right: Decimal): Decimal {
  return (left * right) / ONE;
}

/** left / right, cut toward zero to 10^-8; the divisor must not be zero. */
export function divideFloor(left: Decimal, right: Decimal): Decimal {
  return (left * ONE) / right;
}

/** The largest multiple of `step` that is not above `value`. */
export function floorTo(value: Decimal, step: Decimal): Decimal {
  return step > 0n ? value - (value % step) : value;
}

/** The smallest multiple of `step` that is not below `value`. */
export function ceilTo(value: Decimal, step: Decimal): Decimal {
  if (step <= 0n) return value;
  const over = value % step;
  return over === 0n ? value : value + step - over;
}

/** Decimals that a step such as 0.001 needs: 3. */
export function placesOf(step: Decimal): number {
  const fraction = formatDecimal(step).split('.')[1];
  return fraction ? fraction.length : 0;
}

/** A float near the value, for charts and bars only. */
export function approximate(value: Decimal): number {
  return Number(value) / 1e8;
}

export function smaller(left: Decimal, right: Decimal): Decimal {
  return left < right ? left : right;
}
