import type { Red } from "../api/types";
import { duration, percent, rate } from "./numbers";

export type Health = "healthy" | "degraded" | "failing";

/** From this share of failed requests on. */
export const DEGRADED_FROM = 0.01;
export const FAILING_FROM = 0.05;

export function healthOf({ error_ratio }: Pick<Red, "error_ratio">): Health {
  if (error_ratio >= FAILING_FROM) return "failing";
  return error_ratio >= DEGRADED_FROM ? "degraded" : "healthy";
}

export interface Change {
  name: string;
  /** Whether it is bad news. */
  isWorse: boolean;
  text: string;
}

/** How far from chance a difference must be, in standard deviations. */
const SURE = 3;
/** Quantiles come from buckets 19 % wide: less than two of them is no change. */
const SLOWER = 1.41;
const LEAST_REQUESTS = 20;

/** What differs between two ranges of equal length, beyond what chance does. */
export function changes<Row extends Red>(
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
    if (differByChance(row.requests, old.requests) > SURE && ratio(row.rate, old.rate) >= 1.5) {
      const verb = row.rate > old.rate ? "more" : "fewer";
      say(false, `${verb} requests: ${rate(old.rate)} → ${rate(row.rate)}`);
    }
    if (errorsDiffer(row, old)) {
      const verb = row.error_ratio > old.error_ratio ? "more" : "fewer";
      const text = `${verb} errors: ${percent(old.error_ratio)} → ${percent(row.error_ratio)}`;
      say(row.error_ratio > old.error_ratio, text);
    }
    const enough = Math.min(row.requests, old.requests) >= LEAST_REQUESTS;
    if (enough && ratio(row.p95_ms, old.p95_ms) >= SLOWER) {
      const verb = row.p95_ms > old.p95_ms ? "slower" : "faster";
      const text = `${verb}: p95 ${duration(old.p95_ms)} → ${duration(row.p95_ms)}`;
      say(row.p95_ms > old.p95_ms, text);
    }
  }
  for (const [name, old] of earlier) {
    if (old.requests < LEAST_REQUESTS) continue;
    found.push({ name, isWorse: true, text: `is silent, ${rate(old.rate)} before` });
  }
  return found.sort((one, other) => Number(other.isWorse) - Number(one.isWorse));
}

function ratio(one: number, other: number): number {
  const [low, high] = one < other ? [one, other] : [other, one];
  return low > 0 ? high / low : Number.POSITIVE_INFINITY;
}

/** Of two counts over equal times, if requests come by chance. */
function differByChance(one: number, other: number): number {
  return Math.abs(one - other) / Math.sqrt(Math.max(one + other, 1));
}

function errorsDiffer(now: Red, before: Red): boolean {
  const share = (now.errors + before.errors) / (now.requests + before.requests);
  const spread = Math.sqrt(share * (1 - share) * (1 / now.requests + 1 / before.requests));
  const difference = Math.abs(now.error_ratio - before.error_ratio);
  return difference > 0 && Math.min(now.requests, before.requests) >= LEAST_REQUESTS
    ? spread === 0 || difference / spread > SURE
    : false;
}
