import { FAMILIES } from "../catalog";

/** What `withUnit` shows as a percentage: a share of 0 to 1. */
export const SHARE = "share";
const IS_SHARE = /(ratio|utilization|accuracy)$/;

/**
 * The unit that a metric's shown values have: of counters, their unit per second; "1" is a
 * share where the catalog or the name says so, and a plain number elsewhere.
 */
export function shownUnit(name: string, unit: string, isRate: boolean): string {
  if (isRate) return `${unit}/s`;
  if (unit !== "1") return unit;
  return FAMILIES.get(name)?.unit === "1" || IS_SHARE.test(name) ? SHARE : unit;
}
