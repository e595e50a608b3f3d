/**
 * What differs between two times, beyond what chance does. Where requests are few, chance does a
 * lot, so each difference has to pass two tests: it is large enough to matter, and it is rarer
 * than once in 370 comparisons (three standard deviations) if nothing had changed.
 *
 * - Durations: the API encloses each quantile by the durations of ranks around it
 *   (store/answers/sampling.py). Two that do not meet differ. The median is looked at where the
 *   95th percentile is not enclosed, as with fewer than 86 requests.
 * - Errors and requests are counts: of all that came in both times, how likely is it that so many
 *   fell into one of them? By the binomial distribution itself, for its approximation takes one
 *   error in twenty requests for a change.
 */
import type { WholeRed } from "../api/types";
import { duration, percent, rate } from "./numbers";

export interface Change {
  name: string;
  /** Whether it is bad news. */
  isWorse: boolean;
  text: string;
}

/** Three standard deviations, to both sides. */
const CHANCE = 0.0027;
/** Quantiles come from buckets 19 % wide: less than two of them is no change. */
const SLOWER = 1.41;
const BUSIER = 1.5;
const LEAST_REQUESTS = 20;
/** Counts beyond this are told apart by the normal distribution. */
const FEW = 10_000;

/** What differs between two ranges of equal length; the bad news first. */
export function changes<Row extends WholeRed>(
  now: Row[],
  before: Row[],
  nameOf: (row: Row) => string,
): Change[] {
  const earlier = new Map(before.map((row) => [nameOf(row), row]));
  const found: Change[] = [];
  for (const row of now) {
    const name = nameOf(row);
    const old = earlier.get(name);
    earlier.delete(name);
    const say = (isWorse: boolean, text: string) => found.push({ name, isWorse, text });
    if (!old) {
      if (before.length > 0) say(false, `is new, ${rate(row.rate)}`);
      continue;
    }
    if (requestsDiffer(row, old)) {
      const verb = row.rate > old.rate ? "more" : "fewer";
      say(false, `${verb} requests: ${rate(old.rate)} → ${rate(row.rate)}`);
    }
    if (Math.min(row.requests, old.requests) < LEAST_REQUESTS) continue;
    if (errorsDiffer(row, old)) {
      const verb = row.error_ratio > old.error_ratio ? "more" : "fewer";
      const text = `${verb} errors: ${percent(old.error_ratio)} → ${percent(row.error_ratio)}`;
      say(row.error_ratio > old.error_ratio, text);
    }
    const quantile = (["p95", "p50"] as const).find((one) => durationsDiffer(row, old, one));
    if (quantile) {
      const [is_ms, was_ms] = [row[`${quantile}_ms`], old[`${quantile}_ms`]];
      const verb = is_ms > was_ms ? "slower" : "faster";
      say(is_ms > was_ms, `${verb}: ${quantile} ${duration(was_ms)} → ${duration(is_ms)}`);
    }
  }
  for (const [name, old] of earlier) {
    if (old.requests < LEAST_REQUESTS) continue;
    found.push({ name, isWorse: true, text: `is silent, ${rate(old.rate)} before` });
  }
  return found.sort((one, other) => Number(other.isWorse) - Number(one.isWorse));
}

function durationsDiffer(now: WholeRed, before: WholeRed, quantile: "p50" | "p95"): boolean {
  const [low, high] = now[`${quantile}_between_ms`];
  const [oldLow, oldHigh] = before[`${quantile}_between_ms`];
  const isApart = (oldHigh !== null && low >= oldHigh) || (high !== null && high <= oldLow);
  return isApart && ratio(now[`${quantile}_ms`], before[`${quantile}_ms`]) >= SLOWER;
}

function requestsDiffer(now: WholeRed, before: WholeRed): boolean {
  const all = now.requests + before.requests;
  if (Math.max(now.requests, before.requests) < LEAST_REQUESTS) return false;
  return ratio(now.rate, before.rate) >= BUSIER && likelihood(now.requests, all, 0.5) < CHANCE;
}

function errorsDiffer(now: WholeRed, before: WholeRed): boolean {
  const all = now.errors + before.errors;
  return likelihood(now.errors, all, now.requests / (now.requests + before.requests)) < CHANCE;
}

function ratio(one: number, other: number): number {
  const [low, high] = one < other ? [one, other] : [other, one];
  return low > 0 ? high / low : Number.POSITIVE_INFINITY;
}

/** How likely it is that of `all` at least (or at most) so many have what each has by `share`. */
export function likelihood(some: number, all: number, share: number): number {
  if (all === 0) return 1;
  if (all > FEW) {
    const away = Math.abs(some - all * share) / Math.sqrt(all * share * (1 - share));
    return away > 3 ? 0 : 1;
  }
  // From `some` away from the middle, each term from the one before it.
  const isHigh = some >= all * share;
  const [own, other, chance] = isHigh ? [some, all - some, share] : [all - some, some, 1 - share];
  let term = Math.exp(logChoose(all, own) + own * Math.log(chance) + other * Math.log1p(-chance));
  let tail = 0;
  for (let count = own; count <= all && term > 0; count++) {
    tail += term;
    term *= ((all - count) / (count + 1)) * (chance / (1 - chance));
  }
  return Math.min(2 * tail, 1);
}

function logChoose(all: number, some: number): number {
  let sum = 0;
  for (let factor = 1; factor <= Math.min(some, all - some); factor++) {
    sum += Math.log((all - factor + 1) / factor);
  }
  return sum;
}
