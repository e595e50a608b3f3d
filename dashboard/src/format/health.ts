import type { Red } from "../api/types";

export type Health = "healthy" | "degraded" | "failing";

/** From this share of failed requests on. */
export const DEGRADED_FROM = 0.01;
export const FAILING_FROM = 0.05;

export function healthOf({ error_ratio }: Pick<Red, "error_ratio">): Health {
  if (error_ratio >= FAILING_FROM) return "failing";
  return error_ratio >= DEGRADED_FROM ? "degraded" : "healthy";
}
