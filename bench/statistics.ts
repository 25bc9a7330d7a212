/** The value at a fraction of sorted samples, nearest rank. */
export const quantile = (samples: readonly number[], fraction: number): number => {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(fraction * sorted.length) - 1))] ?? Number.NaN;
};

/** Median, smallest and largest of some samples. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export const spreadOf = (samples: readonly number[]): Spread => ({
  median: quantile(samples, 0.5),
  min: Math.min(...samples),
  max: Math.max(...samples),
});

/** The quotients of samples that were taken in the same rounds. */
export const ratios = (over: readonly number[], under: readonly number[]): readonly number[] =>
  over.map((value, round) => value / (under[round] ?? Number.NaN));

/** Three significant digits. */
export const rounded = (value: number): number => Number(value.toPrecision(3));

/** Does some work many times, so many at a time; each is told its number from 0. */
export const inParallel = async (
  times: number,
  concurrency: number,
  work: (index: number) => Promise<void>,
): Promise<void> => {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < times; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, times) }, lane));
};
