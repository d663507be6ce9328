/** Indicators over closing prices. For drawing only; a null is a place with too little history. */
export type Line = (number | null)[];

export function simpleAverage(values: readonly number[], length: number): Line {
  let sum = 0;
  return values.map((value, index) => {
    sum += value;
    if (index >= length) sum -= values[index - length] ?? 0;
    return index >= length - 1 ? sum / length : null;
  });
}

/** Seeded with the simple average of the first `length` values, as charting programs do. */
export function exponentialAverage(values: readonly number[], length: number): Line {
  const weight = 2 / (length + 1);
  let average: number | null = null;
  let sum = 0;
  return values.map((value, index) => {
    if (index < length) {
      sum += value;
      average = index === length - 1 ? sum / length : null;
    } else if (average !== null) {
      average += weight * (value - average);
    }
    return average;
  });
}

/** Simple average and `width` standard deviations (of the population) to both sides. */
export function bollinger(
  values: readonly number[],
  length: number,
  width: number,
): { upper: Line; lower: Line } {
  const middle = simpleAverage(values, length);
  const spread = middle.map((mean, index) => {
    if (mean === null) return null;
    const window = values.slice(index - length + 1, index + 1);
    return Math.sqrt(window.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length) * width;
  });
  const shifted = (sign: number): Line =>
    middle.map((mean, index) => {
      const distance = spread[index] ?? null;
      return mean === null || distance === null ? null : mean + sign * distance;
    });
  return { upper: shifted(1), lower: shifted(-1) };
}

/** Wilder's relative strength index, 0 to 100. */
export function relativeStrength(values: readonly number[], length: number): Line {
  let gain = 0;
  let loss = 0;
  return values.map((value, index) => {
    if (index === 0) return null;
    const change = value - (values[index - 1] ?? value);
    const up = Math.max(change, 0);
    const down = Math.max(-change, 0);
    if (index <= length) {
      gain += up / length;
      loss += down / length;
      if (index < length) return null;
    } else {
      gain = (gain * (length - 1) + up) / length;
      loss = (loss * (length - 1) + down) / length;
    }
    return loss === 0 ? (gain === 0 ? 50 : 100) : 100 - 100 / (1 + gain / loss);
  });
}
