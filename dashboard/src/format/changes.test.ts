import { describe, expect, it } from "vitest";
import type { Between, WholeRed } from "../api/types";
import { changes, likelihood } from "./changes";

type Named = WholeRed & { name: string };

const row = (name: string, more: Partial<WholeRed> = {}): Named => {
  const given = { requests: 1000, errors: 10, p50_ms: 5, p95_ms: 20, p99_ms: 40, mean_ms: 8 };
  const red = { ...given, ...more };
  return {
    p50_between_ms: [red.p50_ms * 0.9, red.p50_ms * 1.1],
    p95_between_ms: [red.p95_ms * 0.8, red.p95_ms * 1.2],
    ...red,
    name,
    rate: red.requests / 900,
    error_ratio: red.errors / red.requests,
  };
};
const told = (now: Named[], before: Named[]) => changes(now, before, ({ name }) => name);
const said = (now: Named[], before: Named[]) =>
  told(now, before).map(({ text }) => text.split(/[:,]/)[0]);

describe("what changed", () => {
  it("is nothing where the difference may be chance", () => {
    const now = row("shop", { requests: 1050, errors: 14, p95_ms: 24 });
    expect(said([now], [row("shop")])).toEqual([]);
  });

  it("is told with the bad news first", () => {
    const now = [row("shop", { requests: 3000, errors: 300, p95_ms: 40 }), row("new")];
    expect(said(now, [row("shop"), row("gone")])).toEqual([
      "more errors",
      "slower",
      "is silent",
      "more requests",
      "is new",
    ]);
  });

  it("is not told of a store that was empty before", () => {
    expect(said([row("shop")], [])).toEqual([]);
  });

  it("is not told where one of the times has few requests, however large it is", () => {
    const few = row("shop", { requests: 19, errors: 10, p50_ms: 500, p95_ms: 900 });
    expect(said([few], [row("shop", { requests: 25, errors: 0 })])).toEqual([]);
  });

  it("is told by the median where the 95th percentile is not enclosed", () => {
    const open: { p95_between_ms: Between } = { p95_between_ms: [10, null] };
    const now = row("shop", { p50_ms: 10, p95_ms: 90, p95_between_ms: [9, null] });
    const texts = told([now], [row("shop", open)]).map(({ text }) => text);
    expect(texts).toEqual(["slower: p50 5 ms → 10 ms"]);
  });

  it("is one error in twenty requests neither before nor after many without", () => {
    const one = row("shop", { requests: 20, errors: 1 });
    const many = row("shop", { requests: 25, errors: 0 });
    expect([...said([one], [many]), ...said([many], [one])]).toEqual([]);
    const rare = row("shop", { requests: 10_000, errors: 5 });
    expect(said([one], [rare]).filter((text) => text?.includes("errors"))).toEqual([]);
    expect(said([row("shop", { requests: 20, errors: 9 })], [many])).toEqual(["more errors"]);
  });
});

describe("the likelihood of a count", () => {
  it("is that of the binomial distribution, to both sides", () => {
    expect(likelihood(0, 0, 0.5)).toBe(1);
    expect(likelihood(10, 10, 0.5)).toBeCloseTo(2 / 1024, 10);
    expect(likelihood(0, 10, 0.5)).toBeCloseTo(2 / 1024, 10);
    expect(likelihood(8, 10, 0.5)).toBeCloseTo((2 * 56) / 1024, 10);
    expect(likelihood(3, 3, 0.1)).toBeCloseTo(2 * 0.001, 10);
    expect(likelihood(5, 10, 0.5)).toBe(1);
  });

  it("agrees with the normal distribution where there is much", () => {
    // 3 standard deviations of 10,000 halves are 150.
    expect(likelihood(5145, 10_000, 0.5)).toBeGreaterThan(0.0027);
    expect(likelihood(5155, 10_000, 0.5)).toBeLessThan(0.0027);
    expect(likelihood(50_480, 100_000, 0.5)).toBe(0);
    expect(likelihood(50_460, 100_000, 0.5)).toBe(1);
  });
});

describe("requests of one distribution, and of one that is twice as slow", () => {
  /** A second on a machine that has nothing else to do. */
  const SLOW_MS = 30_000;
  /** As the store has it: buckets of a quarter octave, and ranks around the quantile. */
  const redOf = (durations_ms: number[]): Named => {
    const sorted = durations_ms.toSorted((one, other) => one - other);
    const count = sorted.length;
    const bucket = (rank: number) => {
      const duration_ms = sorted[Math.max(Math.ceil(rank), 1) - 1];
      return duration_ms === undefined ? null : Math.floor(4 * Math.log2(duration_ms * 1000));
    };
    const edge = (at: number) => 2 ** (at / 4) / 1000;
    const between = (share: number): Between => {
      const spread = (3 / Math.SQRT2) * Math.sqrt(count * share * (1 - share));
      const high = bucket(count * share + spread);
      return [edge(bucket(count * share - spread) ?? 0), high === null ? null : edge(high + 1)];
    };
    const quantile = (share: number) => edge((bucket(count * share) ?? 0) + 0.5);
    return row("shop", {
      requests: count,
      errors: 0,
      p50_ms: quantile(0.5),
      p95_ms: quantile(0.95),
      p50_between_ms: between(0.5),
      p95_between_ms: between(0.95),
    });
  };
  /** Of the same seed the same numbers (mulberry32), as durations with a long tail. */
  const durations = (seed: number) => {
    let state = seed;
    const random = () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 4294967296;
    };
    return (count: number, median_ms: number) =>
      Array.from({ length: count }, () => {
        const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
        return median_ms * Math.exp(0.8 * normal);
      });
  };
  const flagged = (count: number, factor: number) => {
    const runs = Math.min(1000, 100_000 / count);
    const take = durations(count);
    let found = 0;
    for (let run = 0; run < runs; run++) {
      found += told([redOf(take(count, 20 * factor))], [redOf(take(count, 20))]).length;
    }
    return found / runs;
  };

  it.each([5, 20, 50, 200, 1000])(
    "of %i requests, chance is rarely told",
    (count) => {
      expect(flagged(count, 1)).toBeLessThan(0.003);
    },
    SLOW_MS,
  );

  it.each([
    [100, 0.5],
    [200, 0.95],
    [1000, 0.99],
  ])(
    "of %i requests, what takes twice as long is told",
    (count, least) => {
      expect(flagged(count, 2)).toBeGreaterThan(least);
      expect(flagged(count, 0.5)).toBeGreaterThan(least);
    },
    SLOW_MS,
  );
});
