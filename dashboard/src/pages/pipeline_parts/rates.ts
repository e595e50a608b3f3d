/** Counts that are pushed, as rates over the last minutes. */

export interface Sample {
  time_s: number;
  /** Counts since the receiver started. */
  counts: Record<string, number>;
}

const MOST_SAMPLES = 300;

/** The samples with one more; counts that fell mean a new receiver, and all begins again. */
export function noted(samples: Sample[], counts: Record<string, number>, time_s: number): Sample[] {
  const last = samples.at(-1);
  if (last && time_s <= last.time_s) return samples;
  const began = last !== undefined && (counts.stored ?? 0) < (last.counts.stored ?? 0);
  return [...(began ? [] : samples), { time_s, counts }].slice(-MOST_SAMPLES);
}

/** What a count grew by a second, at each sample but the first. */
export function ratesOf(samples: Sample[], name: string): number[] {
  return samples.slice(1).map(({ time_s, counts }, before) => {
    const earlier = samples[before] as Sample;
    return ((counts[name] ?? 0) - (earlier.counts[name] ?? 0)) / (time_s - earlier.time_s);
  });
}

/** Counts by name, the greatest first. */
export function ordered(counts: Record<string, number> | null): [string, number][] {
  return Object.entries(counts ?? {})
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one);
}
